import assert from "node:assert/strict";
import { cleanupCommand } from "../../lib/commands/cleanup.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { ContainerdLeases } from "../../lib/store/containerd/containerd_leases.ts";
import { containerdFixture } from "../store/fixtures.ts";
import { configOf } from "../support/config_of.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const { signal } = new AbortController();

async function cleanUp(...args: string[]) {
  const written = { stdout: "", stderr: "" };
  const code = await cleanupCommand(configOf("cleanup", args), {
    stdout: (text) => void (written.stdout += text),
    stderr: (text) => void (written.stderr += text),
    isTerminal: false,
    env: {},
    signal,
  });
  assert.equal(code, 0);
  return written;
}

test("cleanup ends the leases that keep layers, and says so", async () => {
  await using certs = await tempDirectory();
  await using fixture = await containerdFixture();
  const { client, fake } = fixture;
  await new ContainerdLeases(client).keep(digestOf("layer"), { signal });
  const [name = ""] = Object.keys(fake.leases());
  const place = ["--containerd-registry-config-path", certs.path];
  const args = [...place, "--containerd-sock", fake.socketPath];
  const dry = await cleanUp(...args, "--dry-run");
  assert.ok(dry.stdout.includes(`would end the lease ${name}\n`), dry.stdout);
  assert.deepEqual(Object.keys(fake.leases()), [name]);
  const done = await cleanUp(...args);
  assert.ok(done.stdout.includes(`ended the lease ${name}\n`), done.stdout);
  assert.deepEqual(fake.leases(), {});
  assert.doesNotMatch((await cleanUp(...args)).stdout, /lease/);
});

test("cleanup does without a containerd, and warns of one that does not answer", async () => {
  await using certs = await tempDirectory();
  const socket = `${certs.path}/containerd.sock`;
  const args = ["--containerd-registry-config-path", certs.path, "--containerd-sock", socket];
  assert.equal((await cleanUp(...args)).stderr, "");
  await Deno.writeTextFile(socket, "");
  assert.match(
    (await cleanUp(...args)).stderr,
    /warning: layers may be kept until their lease ends/,
  );
});
