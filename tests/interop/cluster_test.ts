import assert from "node:assert/strict";
import { readMetrics } from "../e2e/lab/read_metrics.ts";
import { report } from "../e2e/lab/report.ts";
import { until } from "../e2e/lab/until.ts";
import { pullAll, tagPath, untilFound } from "./lab/exchange.ts";
import type { InteropLab } from "./lab/interop_lab.ts";
import { interopSuite } from "./lab/interop_suite.ts";
import type { InteropNode } from "./lab/node.ts";

/** A lost peer is tried again every 30 seconds, at the latest. */
const HEAL_LIMIT_MS = 120_000;

await interopSuite(
  "six nodes are split three and three, and joined again",
  { id: "split", sides: ["eddy", "eddy", "eddy", "eddy", "eddy", "eddy"] },
  async (lab, step) => {
    await step("they heal by themselves, once bootstrap can be reached again", () => split(lab));
  },
);

await interopSuite(
  "three nodes without a name server",
  { id: "mdns", sides: ["eddy", "eddy", "eddy"] },
  async (lab, step) => {
    await step("they find each other by multicast", async () => {
      await Promise.all(lab.nodes.map((node) => node.start(["--bootstrap-kind", "mdns"])));
      const ms = await untilAllKnow(lab.nodes, 2);
      report(`multicast: three nodes know each other after ${ms.toFixed(0)} ms`);
      const [asker, holder] = [lab.node(3), lab.node(1)];
      await untilFound(asker, lab.imageOf(holder));
      await pullAll(asker, lab.imageOf(holder));
    });
  },
);

async function split(lab: InteropLab): Promise<void> {
  const [n1, n2, , n4, n5, n6] = [1, 2, 3, 4, 5, 6].map((number) => lab.node(number));
  assert(n1 && n2 && n4 && n5 && n6);
  const halves = [lab.nodes.slice(0, 3), lab.nodes.slice(3)];
  // Only n1 tells who is there: the other half is without bootstrap while it is cut off.
  const serve = ["--http-bootstrap-addr", ":5002"];
  const ask = [
    "--bootstrap-kind",
    "http",
    "--http-bootstrap-url",
    `http://${n1.host.name}.test:5002/id`,
  ];
  await n1.start([...ask, ...serve]);
  await Promise.all(lab.nodes.slice(1).map((node) => node.start(ask)));
  report(
    `split: six nodes know each other after ${(await untilAllKnow(lab.nodes, 5)).toFixed(0)} ms`,
  );

  for (const node of halves[1] ?? []) await lab.network.setSegment(node.host, "br1");
  for (const half of halves) await untilAllKnow(half, 2);
  await untilFound(n2, lab.imageOf(n1));
  await untilFound(n5, lab.imageOf(n4));
  assert.equal((await n4.request(tagPath(lab.imageOf(n1)), { head: true })).status, 404);
  assert.equal((await n1.request(tagPath(lab.imageOf(n4)), { head: true })).status, 404);
  // One begins anew meanwhile and finds nobody who could tell it of others.
  await n6.kill();
  await n6.start(ask);
  assert.equal((await n6.request(tagPath(lab.imageOf(n1)), { head: true })).status, 404);

  for (const node of halves[1] ?? []) await lab.network.setSegment(node.host, "br0");
  const ms = await untilAllKnow(lab.nodes, 5);
  report(`split: healed ${ms.toFixed(0)} ms after both halves were joined`);
  for (const asker of lab.nodes) {
    for (const holder of lab.nodes) {
      if (asker !== holder) await untilFound(asker, lab.imageOf(holder));
    }
  }
}

async function untilAllKnow(nodes: readonly InteropNode[], others: number): Promise<number> {
  const start = performance.now();
  for (const { host } of nodes) {
    await until(async () => {
      const known = (await readMetrics(host)).sum("eddy_peers");
      if (known !== others) throw new Error(`it knows ${known}`);
      return true;
    }, { what: `${host.name} to know ${others}`, timeoutMs: HEAL_LIMIT_MS });
  }
  return performance.now() - start;
}
