import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { until } from "./lab/until.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";
import { longest, Watch } from "./lab/watch.ts";

const NAME = "eddy.test";
/** How long the name stands for addresses that are gone, as cluster DNS serves them, ms. */
const STALE_MS = 30_000;
/** Rounds of updates; each replaces every agent. */
const ROUNDS = Number(Deno.env.get("EDDY_TEST_UPDATES") ?? 1);
/** Many and small: what is looked up once is remembered for seconds. */
const LAYERS = Array.from({ length: 30 }, (_, i) => 20_000 + i);
const { current } = containerdReleases();

await labSuite(
  "rolling updates in which agents change their addresses",
  {
    id: "roll",
    releases: [current, current, current],
    flags: ["--ready-timeout", "10m", "--mirror-resolve-timeout", "200ms"],
  },
  async (lab, step) => {
    await lab.untilKnown(2);
    await step("no agent is ready without peers, and each finds what the others have", async () => {
      const watched = await Promise.all(lab.nodes.map((node) => watch(lab, node)));
      await using _names = new StaleNames(lab);
      for (let round = 0; round < ROUNDS; round++) {
        for (const node of lab.nodes) {
          await node.agent.stop();
          await lab.network.readdress(node.host);
          const readyMs = await node.agent.start();
          report(`${node.host.name} ready ${readyMs.toFixed(0)} ms after its start`);
          // The next pod is replaced once kubelet's probe, every few seconds, has seen this one ready:
          // time enough to meet those that the name does not stand for yet.
          await lab.untilKnown(2);
        }
      }
      await lab.untilKnown(2, 2 * STALE_MS);
      for (const { node, watch } of watched) await judge(node, watch);
    });

    await step("all agents are replaced at once: they meet once the name is right", async () => {
      const stale = lab.nodes.map(({ host }) => host.address);
      await Promise.all(lab.nodes.map(({ agent }) => agent.stop()));
      for (const { host } of lab.nodes) {
        await lab.network.readdress(host);
        await lab.network.setAddresses(host, NAME, stale);
      }
      const started = Promise.all(lab.nodes.map(({ agent }) => agent.start()));
      await until(() => lab.nodes.every(({ agent }) => agent.running), { what: "agents to run" });
      for (const { host } of lab.nodes) {
        await lab.network.setName(host, NAME, lab.nodes.map(({ host: { name } }) => name));
      }
      const right = performance.now();
      await started;
      report(`all ready ${(performance.now() - right).toFixed(0)} ms after the name was right`);
      await lab.untilKnown(2);
      report(`all known ${(performance.now() - right).toFixed(0)} ms after the name was right`);
    });
  },
);

/** Has the others pull an image, and begins to ask this node's agent for it. */
async function watch(lab: Lab, node: LabNode) {
  const repository = `for-${node.host.name}`;
  const { image, reference } = await publish(lab, repository, { layerBytes: LAYERS });
  const others = lab.nodes.filter((other) => other !== node);
  for (const { containerd } of others) await containerd.fetch(reference);
  await untilFindable(node, image, { repository, blobsOnly: true });
  const paths = image.layers.map(({ digest }) =>
    `/v2/${repository}/blobs/${digest}?ns=${UPSTREAM}`
  );
  return { node, watch: Watch.start(node.host, lab.directory, paths) };
}

/** Has all nodes see the addresses that they had a while ago, until it is disposed of. */
class StaleNames implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #history: { readonly at: number; readonly addresses: readonly string[] }[] = [];
  readonly #stop = new AbortController();
  readonly #followed: Promise<void>;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#followed = this.#follow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#followed;
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const now = systemClock.now();
      const addresses = this.#lab.nodes.map(({ host: { address } }) => address);
      this.#history.push({ at: now, addresses });
      const seen = this.#history.findLast(({ at }) => at <= now - STALE_MS) ?? this.#history[0];
      for (const { host } of this.#lab.nodes) {
        await this.#lab.network.setAddresses(host, NAME, seen?.addresses ?? []);
      }
      await systemClock.sleep(500, this.#stop).catch(() => {});
    }
  }
}

async function judge({ host: { name } }: LabNode, watch: Watch): Promise<void> {
  await using _stopped = watch;
  const looks = await watch.looks();
  const ready = looks.filter(({ ready }) => ready);
  const refused = ready.filter(({ status }) => status !== 200 && status !== 0);
  const isolatedMs = longest(looks, ({ ready, peers }) => ready && peers === 0);
  const awayMs = longest(looks, ({ ready }) => !ready);
  report(
    `${name}: seen ${looks.length} times, ready ${ready.length}; longest without peers while ` +
      `ready ${isolatedMs} ms, while running ` +
      `${longest(looks, ({ peers }) => peers === 0)} ms, not ready or away ${awayMs} ms; ` +
      `${refused.length} requests were refused while ready, ` +
      `${looks.filter(({ ready, status }) => !ready && status === 404).length} before`,
  );
  assert.ok(ready.length > 0, `${name} was never seen ready`);
  assert.equal(isolatedMs, 0, `${name} was ready without peers`);
  assert.deepEqual(refused, [], `${name} did not find what the others have`);
}
