import assert from "node:assert/strict";
import { httpRequest } from "../e2e/lab/http_request.ts";
import { runCommand } from "../e2e/lab/run_command.ts";
import { readMetrics } from "../e2e/lab/read_metrics.ts";
import { report } from "../e2e/lab/report.ts";
import { until } from "../e2e/lab/until.ts";
import { digestPath, download, pullAll, tagPath, untilFound } from "./lab/exchange.ts";
import type { InteropLab } from "./lab/interop_lab.ts";
import type { Case } from "../support/test.ts";
import { interopSuite } from "./lab/interop_suite.ts";
import { EDDY, spegelBinary } from "./lab/kinds.ts";
import type { InteropNode } from "./lab/node.ts";

const other = spegelBinary() === undefined ? "the Go node" : "Spegel";
/** Where nobody answers and no packet is refused: the dial can only run into its time limit. */
const NOWHERE = "fd00:bad::5";
const BY_DNS = ["--bootstrap-kind", "dns", "--dns-bootstrap-domain", "all.test"];

await interopSuite(
  `a mixed cluster of two and two, with ${other}`,
  { id: "mix", sides: ["eddy", "other", "eddy", "other"] },
  async (lab, step) => {
    await exchangeCases(lab, step);
    await deathCases(lab, step);
    await unreachableCases(lab, step);
  },
);

async function exchangeCases(lab: InteropLab, step: Case): Promise<void> {
  await step("every node pulls every other node's image, by tag and by digest", async () => {
    await startAll(lab);
    for (const asker of lab.nodes) {
      for (const holder of lab.nodes) {
        if (holder === asker) continue;
        await untilFound(asker, lab.imageOf(holder));
        await pullAll(asker, lab.imageOf(holder));
      }
    }
  });

  await step("a part of a blob, in both directions", async () => {
    await startAll(lab);
    for (const [asker, holder] of pairs(lab)) {
      const wanted = lab.imageOf(holder);
      const [, layer] = wanted.image.layers;
      assert.ok(layer !== undefined);
      await untilFound(asker, wanted);
      const headers = { range: "bytes=1000-70000" };
      const part = await download(asker, digestPath(wanted, layer.digest), { headers });
      assert.deepEqual(part, new Uint8Array(layer.content.subarray(1000, 70_001)));
    }
  });

  await step("a request of a peer is answered from the own images or not at all", async () => {
    await startAll(lab);
    for (const [asker, holder] of pairs(lab)) {
      await untilFound(asker, lab.imageOf(holder));
      const headers = { "x-spegel-mirrored": "true" };
      const foreign = tagPath(lab.imageOf(holder));
      assert.equal((await asker.request(foreign, { headers })).status, 404);
      const answer = await asker.request(tagPath(lab.imageOf(asker)), { headers });
      assert.equal(answer.status, 200);
      assert.equal(answer.body, new TextDecoder().decode(lab.imageOf(asker).image.root.content));
    }
  });
}

async function deathCases(lab: InteropLab, step: Case): Promise<void> {
  const [e1, g2, e3, g4] = [lab.node(1), lab.node(2), lab.node(3), lab.node(4)];

  for (const [victim, witness] of [[g2, e1], [e1, g4], [g4, e3]] as const) {
    const ways = [["killed", () => victim.kill()], ["stopped", () => victim.stop()]] as const;
    for (const [way, end] of ways) {
      const name = `${victim.kind.name} is ${way}: ${witness.kind.name} notices`;
      await step(`${name} (${victim.host.name})`, async () => {
        await startAll(lab);
        if (witness.kind === EDDY) {
          await until(() => knows(witness, 3), { what: "all to be known" });
        }
        await untilFound(witness, lab.imageOf(victim));
        const path = tagPath(lab.imageOf(victim));
        await end();
        const { elapsedMs } = await until(async () => {
          const { status } = await witness.request(path, { head: true });
          if (status !== 404) throw new Error(`status ${status}`);
          return true;
        }, { what: "its image to be unknown" });
        const after = await witness.request(path, { head: true });
        assert.equal(after.status, 404);
        report(`${name}: 404 after ${elapsedMs.toFixed(0)} ms, then within ${after.elapsedMs} ms`);
        if (witness.kind === EDDY) await until(() => knows(witness, 2), { what: "a peer less" });
        // The others go on.
        const [left] = lab.nodes.filter((node) => node !== victim && node !== witness);
        assert.ok(left !== undefined);
        await untilFound(witness, lab.imageOf(left));
        await pullAll(witness, lab.imageOf(left));
      });
    }
  }

  await step(`${g2.kind.name} dies and comes back with another identity`, async () => {
    await startAll(lab);
    await untilFound(e1, lab.imageOf(g2));
    await g2.kill();
    await g2.start(BY_DNS);
    await untilFound(e1, lab.imageOf(g2), { timeoutMs: 60_000 });
    await pullAll(e1, lab.imageOf(g2));
  });
}

/** Addresses that cannot be dialled stand beside one that can. */
async function unreachableCases(lab: InteropLab, step: Case): Promise<void> {
  const [e1, g2, e3] = [lab.node(1), lab.node(2), lab.node(3)];
  // Spegel has given QUIC up.
  const lost = spegelBinary() === undefined ? "QUIC and lost IPv6" : "lost IPv6";

  await step(
    `${g2.kind.name} names ${lost} addresses, too: they are skipped`,
    async () => {
      await ip(g2, "-6", "addr", "add", `${NOWHERE}/128`, "dev", "lo");
      // Packets to it are sent, and nobody on the wire answers for it.
      for (const eddy of [e1, e3]) {
        await ip(eddy, "-6", "route", "add", `${NOWHERE}/128`, "dev", "eth0");
      }
      await startAll(lab);
      const wanted = lab.imageOf(g2);
      for (const asker of [e1, e3]) {
        await untilFound(asker, wanted);
        const times: string[] = [];
        for (let i = 0; i < 5; i++) {
          const { status, elapsedMs } = await asker.request(tagPath(wanted), { head: true });
          assert.equal(status, 200);
          times.push(elapsedMs.toFixed(0));
        }
        report(
          `with addresses that cannot be dialled: tag through ${asker.host.name} in ${times} ms`,
        );
        await pullAll(asker, wanted);
      }
      if (spegelBinary() !== undefined) return;
      const known = await addressesOf(lab.node(4), wanted.name);
      assert.ok(known.some((address) => address.endsWith("/quic-v1")), known.join(" "));
      assert.ok(known.includes(`/ip6/${NOWHERE}/tcp/5001`), known.join(" "));
    },
  );
}

async function startAll(lab: InteropLab): Promise<void> {
  await Promise.all(lab.nodes.map((node) => node.start(BY_DNS)));
}

/** Each Eddy with a foreign node, in both directions. */
function pairs(lab: InteropLab): [InteropNode, InteropNode][] {
  return [[lab.node(1), lab.node(2)], [lab.node(2), lab.node(1)]];
}

async function knows(node: InteropNode, others: number): Promise<boolean> {
  return (await readMetrics(node.host)).sum("eddy_peers") === others;
}

async function ip(node: InteropNode, ...args: string[]): Promise<void> {
  await runCommand(["ip", "-n", node.host.namespace, ...args]);
}

/** Addresses of the first holder of a key, as a Go node learns them. */
async function addressesOf(node: InteropNode, key: string): Promise<string[]> {
  const url = `http://127.0.0.1:9090/find?key=${encodeURIComponent(key)}`;
  const { body } = await httpRequest(node.host, url);
  const [first] = JSON.parse(body) as { addresses: string[] }[];
  return first?.addresses ?? [];
}
