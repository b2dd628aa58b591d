import assert from "node:assert/strict";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { portsToward } from "./lab/ports_toward.ts";
import { pullFromPeer } from "./lab/pull_from_peer.ts";

const FILES = `${Deno.env.get("TMPDIR") ?? "/tmp"}/eddy-e2e-prefer-${Deno.pid}`;
const LAYERS = [300_000, 4_000_000];
const { old, current } = containerdReleases();

await labSuite(
  "a cluster in which TLS between nodes is being switched on",
  {
    id: "prefer",
    releases: [current, old, current],
    // The second has not got it yet.
    flags: (name) =>
      name === "n2" ? [] : ["--peer-tls-dir", `${FILES}/${name}`, "--peer-tls-mode", "prefer"],
    withoutAgents: true,
    lacking: await missingOpenssl(),
  },
  async (lab, step) => {
    const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];
    try {
      const authority = await Authority.make(`${FILES}/authority`);
      for (const { host } of [n1, n3]) await authority.issue(`${FILES}/${host.name}`, "eddy");
      for (const { agent } of lab.nodes) await agent.start();
      await lab.untilKnown(2, 120_000);

      const cases = [
        { what: "nodes that prefer TLS use it", holder: n1, other: n3, port: 5443 },
        { what: "one that prefers it asks one without in the clear", holder: n2, other: n1 },
        { what: "one without it is answered in the clear", holder: n3, other: n2 },
      ];
      for (const [index, { what, holder, other, port = 5000 }] of cases.entries()) {
        await step(what, async () => {
          const image = { repository: `prefer-${index}`, layerBytes: LAYERS };
          await pullFromPeer(lab, holder, other, image);
          const used = new Set(await portsToward(other, holder));
          assert.deepEqual([5000, 5443].filter((registry) => used.has(registry)), [port]);
        });
      }
    } finally {
      await Deno.remove(FILES, { recursive: true }).catch(() => {});
    }
  },
);
