import assert from "node:assert/strict";
import { Agent } from "./lab/agent.ts";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish, type Published } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { type Manner, StubPeer } from "./lab/stub_peer.ts";
import { until } from "./lab/until.ts";
import { untilAllFound } from "./lab/until_all_found.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const MIB = 1024 * 1024;
/** Layers small enough to be read whole before they are passed on, and larger ones. */
const LAYERS = [300_000, 300_000, 2 * MIB, 2 * MIB, 2 * MIB, 2 * MIB];
/** Far above what a bad peer costs: it only tells one from a pull that hung. */
const LIMIT_MS = 20_000;
const MANNERS = ["silent", "stalls", "trickles"] as const satisfies Manner[];

const { old, current } = containerdReleases();

for (const release of [old, current] satisfies ContainerdRelease[]) {
  await labSuite(
    `peers that leave, stall or are gone, containerd ${release.name}`,
    {
      id: `bad-${release.name}`,
      releases: [release, release, release],
      withoutAgents: true,
    },
    async (lab, step) => {
      // How containerd takes an answer that breaks differs; the rest is between agents.
      if (release === current) await goodbyeCases(lab, step);
      else for (const { agent } of [lab.node(2), lab.node(3)]) await agent.start();
      await stalledCases(lab, step, release);
      if (release === current) await deadAddressCases(lab, step);
    },
  );
}

/** A node that stops says so first, and is asked for nothing more while it still sends. */
async function goodbyeCases(lab: Lab, step: Case): Promise<void> {
  const [n1, , n3] = [lab.node(1), lab.node(2), lab.node(3)];

  await step("an agent that is stopped is dropped while its transfers end", async () => {
    for (const { agent } of lab.nodes) await agent.start();
    await lab.untilKnown(2);
    const large = await publish(lab, "leave/large", { layerBytes: [64 * MIB], plain: true });
    const small = await publish(lab, "leave/small", { layerBytes: [300_000], plain: true });
    for (const { reference } of [large, small]) await n1.containerd.fetch(reference);
    for (const { image, repository } of [large, small]) {
      await untilFindable(n3, image, { repository, tag: "v1" });
    }
    await lab.upstream.stop();
    await lab.network.setRate(n1.host, "40mbit");
    const before = await lab.network.sentBytes(n1.host);
    const pull = n3.containerd.fetch(large.reference, { timeoutMs: 90_000 });
    await until(async () => await lab.network.sentBytes(n1.host) - before > 4 * MIB, {
      what: "n1 to send",
      intervalMs: 20,
    });

    n1.agent.process.signal("SIGTERM");
    const [layer] = small.image.layers;
    const path = `/v2/${small.repository}/blobs/${layer?.digest}?ns=${UPSTREAM}`;
    const answer = await until(async () => {
      const { status, body, elapsedMs } = await n3.agent.request(path);
      return status === 404 && body.includes("no-peer") && { elapsedMs };
    }, { what: "n3 to name nobody", intervalMs: 5 });
    const peers = await until(async () => (await n3.agent.metrics()).sum("eddy_peers") === 1, {
      what: "n3 to know one peer less",
      intervalMs: 5,
    });
    report(
      `goodbye: a blob of a node that leaves is nobody's ${answer.elapsedMs.toFixed(0)} ms after ` +
        `SIGTERM, answered in ${answer.value.elapsedMs.toFixed(1)} ms; out of the table after ` +
        `${(answer.elapsedMs + peers.elapsedMs).toFixed(0)} ms at most`,
    );
    assert.equal(n1.agent.process.status, undefined, "n1 is still sending");
    await lab.network.setRate(n1.host, "400mbit");
    await pull;
    assert.deepEqual(await n3.containerd.lacks(large.image), [], "n1 sent it to the end");
    assert.equal((await n1.agent.stop())?.code, 0);
    await lab.upstream.start();
  });
}

/** A peer that takes requests and sends nothing, or next to nothing. */
async function stalledCases(
  lab: Lab,
  step: Case,
  { name }: ContainerdRelease,
): Promise<void> {
  const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];
  const hidden = new Agent({
    host: n1.host,
    containerd: n1.containerd,
    directory: n1.containerd.contentPath.replace(/\/root\/.*/, ""),
    flags: ["--registry-addr", "127.0.0.1:5000"],
  });
  await n1.agent.stop();
  await hidden.start();
  await using stub = await StubPeer.start(n1);
  try {
    for (const manner of MANNERS) {
      await step(`${manner}: another holder`, async () => {
        const plainMs = await pullTime(n3, await holders(lab, `${manner}/base`, [n2]), lab);
        const image = await holders(lab, `${manner}/both`, [n1, n2]);
        const tookMs = await pullTime(n3, image, lab, () => stub.behave(manner));
        await stub.behave("good");
        told(`containerd ${name}: ${manner}, another holder`, tookMs, plainMs);
      });

      await step(`${manner}: nobody else but upstream`, async () => {
        const plainMs = await pullTime(n3, await holders(lab, `${manner}/alone`, []));
        const image = await holders(lab, `${manner}/only`, [n1]);
        const tookMs = await pullTime(n3, image, undefined, () => stub.behave(manner));
        await stub.behave("good");
        told(`containerd ${name}: ${manner}, nobody else but upstream`, tookMs, plainMs);
      });
    }
  } finally {
    await hidden.stop();
  }
}

/** A peer whose packets are lost costs one wait, and then nothing, whatever is asked for. */
async function deadAddressCases(lab: Lab, step: Case): Promise<void> {
  const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];

  await step("a dead address", async () => {
    await n1.agent.start();
    await n3.agent.stop();
    await n3.agent.start();
    await lab.untilKnown(2);
    const baseMs = await pullTime(n3, await holders(lab, "dead/base", [n2]), lab);
    const alone = await holders(lab, "dead/alone", [n1]);
    const both = await holders(lab, "dead/both", [n1, n2]);
    const paths = alone.image.blobs.map(({ digest }) =>
      `/v2/${alone.repository}/blobs/${digest}?ns=${UPSTREAM}`
    );
    await lab.network.setLink(n1.host, "down");
    const times: number[] = [];
    for (const path of paths) {
      const { status, elapsedMs } = await n3.agent.request(path);
      assert.equal(status, 404);
      times.push(elapsedMs);
    }
    report(`dead address: 404 after ${times.map((ms) => ms.toFixed(1)).join(", ")} ms`);
    told("dead address, another holder, next pull", await pullTime(n3, both, lab), baseMs);
    await lab.network.setLink(n1.host, "up");
  });

  await step("a dead address in the middle of things", async () => {
    await n3.agent.stop();
    await n3.agent.start();
    await lab.untilKnown(2);
    const baseMs = await pullTime(n3, await holders(lab, "dead/base2", [n2]), lab);
    const first = await holders(lab, "dead/first", [n1, n2]);
    const down = () => lab.network.setLink(n1.host, "down");
    told("dead address, another holder, first pull", await pullTime(n3, first, lab, down), baseMs);
    await lab.network.setLink(n1.host, "up");
  });
}

/** An image that these nodes hold, and that n3 finds there. */
async function holders(lab: Lab, name: string, nodes: readonly LabNode[]): Promise<Published> {
  const published = await publish(lab, name, { layerBytes: LAYERS, plain: true });
  for (const { containerd } of nodes) await containerd.fetch(published.digestReference);
  if (nodes.length > 0) {
    const { image, repository } = published;
    // A peer that stood still is left alone for a while, which doubles each time.
    await untilFindable(lab.node(3), image, { repository, blobsOnly: true, timeoutMs: 60_000 });
    await untilAllFound(lab.node(3), image, nodes.length);
  }
  return published;
}

/** Pulls on a node, without upstream if a lab is given, right after `strike`. */
async function pullTime(
  node: LabNode,
  { digestReference, image }: Published,
  lab?: Lab,
  strike: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  await lab?.upstream.stop();
  await strike();
  const start = performance.now();
  await node.containerd.fetch(digestReference, { timeoutMs: 90_000 });
  const elapsedMs = performance.now() - start;
  await lab?.upstream.start();
  assert.deepEqual(await node.containerd.lacks(image), []);
  return elapsedMs;
}

function told(what: string, tookMs: number, plainMs: number): void {
  const extraMs = tookMs - plainMs;
  report(
    `${what}: pull of ${LAYERS.length} layers ${plainMs.toFixed(0)} ms undisturbed, extra ` +
      `${extraMs.toFixed(0)} ms`,
  );
  assert.ok(extraMs < LIMIT_MS, `${extraMs} ms later than undisturbed`);
}
