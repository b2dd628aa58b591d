import assert from "node:assert/strict";
import { parse as parseYaml } from "yaml";
import { DISTRIBUTIONS } from "../../lib/store/containerd/distributions.ts";
import { configOf } from "../support/config_of.ts";
import { test } from "../support/test.ts";
import { argsOf, CHART, helmTest, type Json, template } from "./helm.ts";

const CONTENT = "io.containerd.content.v1.content";
const PRESETS = Object.fromEntries(
  DISTRIBUTIONS.map(({ id, socketPath, dataPath, registryConfigPath }) => [id, {
    containerdSock: `/${socketPath}`,
    containerdContentPath: `/${dataPath}/${CONTENT}`,
    containerdRegistryConfigPath: `/${registryConfigPath}`,
  }]),
);

/** Paths of the agent's arguments, and of the node that its DaemonSet mounts. */
function pathsOf(objects: readonly Json[]) {
  const [, ...args] = argsOf(objects, "DaemonSet", "site-eddy");
  const agent = configOf("agent", args);
  const { volumes } =
    objects.find(({ kind, metadata }) => kind === "DaemonSet" && metadata.name === "site-eddy").spec
      .template.spec;
  const hostPath = (name: string) =>
    volumes.find((volume: Json) => volume.name === name)?.hostPath.path;
  return {
    agent: {
      containerdSock: agent.containerdSock,
      containerdContentPath: agent.containerdContentPath,
      containerdRegistryConfigPath: agent.containerdRegistryConfigPath,
    },
    socketDirectory: hostPath("containerd-sock"),
    content: hostPath("containerd-content"),
    hosts: hostPath("containerd-config"),
  };
}

test("chart: the paths of distributions are those of the program", async () => {
  const text = await Deno.readTextFile(`${CHART}/files/distributions.yaml`);
  assert.deepEqual(parseYaml(text), PRESETS);
  const schema = JSON.parse(await Deno.readTextFile(`${CHART}/values.schema.json`));
  const names = Object.keys(PRESETS).toSorted();
  assert.deepEqual(schema.properties.distribution.enum, ["", ...names]);
  const values = await Deno.readTextFile(`${CHART}/values.yaml`);
  const comment = /Distribution of the nodes([^]*?)\ndistribution:/.exec(values)?.[1] ?? "";
  for (const name of names) assert.match(comment, new RegExp(`\\b${name}\\b`));
});

helmTest("a distribution's paths are mounted and given to the program", async (program) => {
  for (const [distribution, preset] of Object.entries(PRESETS)) {
    const { objects, success, stderr } = await template(program, { distribution });
    assert(success, stderr);
    const { agent, ...mounted } = pathsOf(objects);
    assert.deepEqual(agent, preset, distribution);
    const hosts = preset.containerdRegistryConfigPath;
    assert.deepEqual(mounted, {
      socketDirectory: preset.containerdSock.replace(/\/[^/]+$/, ""),
      content: preset.containerdContentPath,
      // k3s and RKE2 replace the directory, so the one above is mounted.
      hosts: hosts.startsWith("/var/lib/rancher/") ? hosts.replace(/\/certs\.d$/, "") : hosts,
    }, distribution);
    const [, ...cleanup] = argsOf(objects, "DaemonSet", "site-eddy-cleanup");
    const { containerdSock, containerdRegistryConfigPath } = configOf("cleanup", cleanup);
    assert.deepEqual([containerdSock, containerdRegistryConfigPath], [
      preset.containerdSock,
      hosts,
    ]);
  }
});

helmTest("without a distribution, the paths are containerd's own", async (program) => {
  const { objects } = await template(program, {});
  assert.deepEqual(pathsOf(objects).agent, PRESETS.containerd);
});

helmTest("paths that are set win over the distribution's", async (program) => {
  const cases: readonly [values: Json, want: Json][] = [
    [
      { eddy: { containerdSock: "/run/containerd/containerd.sock" } },
      { ...PRESETS.k3s, containerdSock: "/run/containerd/containerd.sock" },
    ],
    // Empty is a value, too: content comes through the socket.
    [{ eddy: { containerdContentPath: "" } }, { ...PRESETS.k3s, containerdContentPath: undefined }],
    [
      { spegel: { containerdRegistryConfigPath: "/opt/certs.d" } },
      { ...PRESETS.k3s, containerdRegistryConfigPath: "/opt/certs.d" },
    ],
  ];
  for (const [values, want] of cases) {
    const { objects, success, stderr } = await template(program, {
      distribution: "k3s",
      ...values,
    });
    assert(success, stderr);
    assert.deepEqual(pathsOf(objects).agent, want);
  }
});

helmTest("a distribution that is not known is refused", async (program) => {
  const { success, stderr } = await template(program, { distribution: "openshift" });
  assert(!success);
  assert.match(stderr, /distribution/);
});
