import assert from "node:assert/strict";
import { checkOtherRuntimes } from "../../lib/commands/doctor/node_checks.ts";
import { withFiles } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const CASES: readonly (readonly [socket: string, name: string, detail: RegExp, fix: RegExp])[] = [
  [
    "run/crio/crio.sock",
    "CRI-O",
    /does not go through Eddy/,
    /\/etc\/containers\/registries\.conf/,
  ],
  ["run/cri-dockerd.sock", "cri-dockerd", /images are Docker's/, /containerRuntimeEndpoint/],
  ["run/cri-docker.sock", "cri-dockerd", /images are Docker's/, /containerRuntimeEndpoint/],
  [
    "run/k3s/cri-dockerd/cri-dockerd.sock",
    "cri-dockerd",
    /images are Docker's/,
    /containerRuntimeEndpoint/,
  ],
  [
    "run/soci-snapshotter-grpc/soci-snapshotter-grpc.sock",
    "SOCI snapshotter",
    /come past Eddy.*manifests, and layers that containerd fetches, come through Eddy/,
    /parallel_pull_unpack.*FastImagePull/,
  ],
];

for (const [socket, name, detail, fix] of CASES) {
  test(`doctor: ${socket} is recognised, with what works and what does not`, async () => {
    await withFiles({ [socket]: "" }, async (root) => {
      const checks = await checkOtherRuntimes({ root });
      assert.deepEqual(checks.map((check) => [check.name, check.state]), [[name, "warning"]]);
      assert.match(checks[0]?.detail ?? "", detail);
      assert.match(checks[0]?.detail ?? "", new RegExp(`has its socket at /${socket}:`));
      assert.match(checks[0]?.fix ?? "", fix);
    });
  });
}

test("doctor: a node with containerd alone has no other runtime", async () => {
  await withFiles({ "run/containerd/containerd.sock": "" }, async (root) => {
    assert.deepEqual(await checkOtherRuntimes({ root }), []);
  });
});
