import assert from "node:assert/strict";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import { httpRequest } from "./lab/http_request.ts";
import type { LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { portsToward } from "./lab/ports_toward.ts";
import { publish } from "./lab/publish.ts";
import { pullFromPeer } from "./lab/pull_from_peer.ts";
import { until } from "./lab/until.ts";

const SECRETS = `${Deno.env.get("TMPDIR") ?? "/tmp"}/eddy-e2e-closed-${Deno.pid}`;
const LAYERS = [300_000, 4_000_000];
const NAME = "eddy";
/** Nodes one and two belong together; the third is of another authority, the fourth has another key. */
const KEYS: Readonly<Record<string, string>> = { n4: "b".repeat(44) };
const DEFAULT_KEY = "a".repeat(44);
const { old, current } = containerdReleases();

await labSuite(
  "a cluster with a closed index and TLS between nodes",
  {
    id: "closed",
    releases: [current, old, current, old],
    flags: (name) => [
      ...["--peer-tls-dir", `${SECRETS}/${name}`, "--cluster-key-file", `${SECRETS}/${name}.key`],
      "--dht-closed",
    ],
    withoutAgents: true,
    lacking: await missingOpenssl(),
  },
  async (lab, step) => {
    const [n1, n2, n3, n4] = [lab.node(1), lab.node(2), lab.node(3), lab.node(4)];
    try {
      const ours = await Authority.make(`${SECRETS}/ours`);
      const theirs = await Authority.make(`${SECRETS}/theirs`);
      for (const { host: { name } } of lab.nodes) {
        await (name === "n3" ? theirs : ours).issue(`${SECRETS}/${name}`, NAME);
        await Deno.writeTextFile(`${SECRETS}/${name}.key`, KEYS[name] ?? DEFAULT_KEY);
      }
      for (const { agent } of lab.nodes) await agent.start();
      await lab.untilKnown(2, 20_000, [n1, n2, n3]);

      await step("a node pulls from another by TLS, and by nothing else", async () => {
        await pullFromPeer(lab, n1, n2, { repository: "closed/first", layerBytes: LAYERS });
        const ports = await portsToward(n2, n1);
        assert.ok(ports.includes(5443) && !ports.includes(5000), ports.join());
      });

      await step("the port of containerd answers no node, that of TLS nothing plain", async () => {
        const headers = { "X-Spegel-Mirrored": "true" };
        const asked = await httpRequest(n2.host, `http://${n1.host.address}:5000/v2/`, { headers });
        assert.equal(asked.status, 403);
        const plain = httpRequest(n2.host, `http://${n1.host.address}:5443/v2/`);
        assert.equal(await plain.then(({ status }) => status, () => 0), 0);
      });

      await step("a node of another authority is served by upstream", async () => {
        const { reference, image } = await publish(lab, "closed/foreign", { layerBytes: LAYERS });
        await n1.containerd.fetch(reference);
        await n3.containerd.fetch(reference);
        assert.deepEqual(await n3.containerd.lacks(image), []);
        assert.equal((await n3.agent.metrics()).sum("eddy_fetched_bytes_total"), 0);
      });

      await step("a node with another key meets nobody, and is served by upstream", async () => {
        const { reference, image } = await publish(lab, "closed/stranger", { layerBytes: LAYERS });
        await n4.containerd.fetch(reference);
        assert.deepEqual(await n4.containerd.lacks(image), []);
        assert.equal((await n4.agent.metrics()).sum("eddy_peers"), 0);
        const log = await n4.agent.log();
        assert.ok(log.some(({ msg }) => String(msg).includes("wants another key")));
      });

      await step("certificates, authority and key are replaced while pulls go on", async () => {
        const both = await Deno.readTextFile(`${SECRETS}/n1/ca.crt`) +
          await theirs.certificate();
        for (const { host: { name } } of [n1, n2]) {
          await Deno.writeTextFile(`${SECRETS}/${name}/ca.crt`, both);
          await Deno.writeTextFile(`${SECRETS}/${name}.key`, `${KEYS["n4"]}\n${DEFAULT_KEY}\n`);
        }
        await untilSaid([n1, n2], "there are other cluster keys");
        await untilSaid([n1, n2], "there are other certificates for peers");
        await theirs.issue(`${SECRETS}/n1`, NAME);
        await until(async () => (await said(n1, "there are other certificates for peers")) > 1, {
          what: "the first node to take the new certificate",
        });
        await lab.untilKnown(1, 40_000, [n1, n2, n4]);
        await pullFromPeer(lab, n1, n2, { repository: "closed/replaced", layerBytes: LAYERS });
      });
    } finally {
      await Deno.remove(SECRETS, { recursive: true }).catch(() => {});
    }
  },
);

async function said({ agent }: LabNode, what: string): Promise<number> {
  return (await agent.log()).filter(({ msg }) => String(msg).includes(what)).length;
}

async function untilSaid(nodes: readonly LabNode[], what: string): Promise<void> {
  for (const node of nodes) {
    await until(async () => await said(node, what) > 0, {
      what: `${node.host.name} to say: ${what}`,
    });
  }
}
