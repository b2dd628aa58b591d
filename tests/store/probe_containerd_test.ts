import assert from "node:assert/strict";
import { join } from "node:path";
import { probeContainerd } from "../../lib/store/containerd/probe_containerd.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { containerdFixture } from "./fixtures.ts";

const never = { signal: new AbortController().signal };
const contentPlugin = (root: string) => ({
  type: "io.containerd.content.v1",
  id: "content",
  exports: { root },
  initErr: null,
});

test("probe: a containerd 1.x tells its image settings in the CRI status", async () => {
  await using fixture = await containerdFixture();
  const { fake, client } = fixture;
  await fixture.tag("docker.io/library/app:1", await fixture.put("{}"));
  fake.plugins = [contentPlugin(fake.contentPath)];
  fake.criConfig = JSON.stringify({
    registry: { configPath: "/etc/containerd/certs.d" },
    containerd: { discardUnpackedLayers: true },
  });
  assert.deepEqual(await probeContainerd(client, never), {
    reachable: true,
    version: "0.0.0-fake",
    content: { state: "readable", path: fake.contentPath },
    cri: {
      registryConfigPaths: ["/etc/containerd/certs.d"],
      discardUnpackedLayers: true,
    },
    criError: undefined,
  });
});

test("probe: a containerd 2.x exports its image settings from a plugin", async () => {
  await using fixture = await containerdFixture();
  fixture.fake.criConfig = JSON.stringify({ containerd: {} });
  const images = (exports: Record<string, string>) => {
    fixture.fake.plugins = [{ type: "io.containerd.cri.v1", id: "images", exports, initErr: null }];
  };
  images({ RegistryConfigPath: "/a:/b", DiscardUnpackedLayers: "false" });
  const told = await probeContainerd(fixture.client, never);
  assert.ok(told.reachable);
  assert.deepEqual(told.cri, { registryConfigPaths: ["/a", "/b"], discardUnpackedLayers: false });
  images({});
  const untold = await probeContainerd(fixture.client, never);
  assert.ok(untold.reachable);
  assert.deepEqual(untold.cri, {
    registryConfigPaths: undefined,
    discardUnpackedLayers: undefined,
  });
});

test("probe: without a CRI plugin there are no image settings", async () => {
  await using fixture = await containerdFixture();
  const probe = await probeContainerd(fixture.client, never);
  assert.ok(probe.reachable);
  assert.equal(probe.cri, undefined);
  assert.deepEqual(probe.content, { state: "unknown" });
});

test("probe: a content directory that cannot be read, or is another's, is told apart", async () => {
  await using fixture = await containerdFixture();
  await using other = await tempDirectory();
  const digest = await fixture.put("{}");
  await fixture.tag("docker.io/library/app:1", digest);
  const missing = join(other.path, "missing");
  const unreadable = await probeContainerd(fixture.client, { ...never, contentPath: missing });
  assert.ok(unreadable.reachable);
  assert.equal(unreadable.content.state, "unreadable");
  const foreign = await probeContainerd(fixture.client, { ...never, contentPath: other.path });
  assert.ok(foreign.reachable);
  assert.deepEqual(foreign.content, { state: "foreign", path: other.path, digest });
});

test("probe: a containerd that is not there is a value, not an error", async () => {
  await using fixture = await containerdFixture();
  await fixture.fake.stop();
  const probe = await probeContainerd(fixture.client, never);
  assert.ok(!probe.reachable);
  assert.match(probe.error, /UNAVAILABLE.*containerd\.sock/);
});
