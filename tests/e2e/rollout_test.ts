import assert from "node:assert/strict";
import type { Case } from "../support/test.ts";
import { Agent } from "./lab/agent.ts";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { runCommand } from "./lab/run_command.ts";
import { RefusingRegistry } from "./lab/refusing_registry.ts";
import { publish, type Published } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { until } from "./lab/until.ts";
import {
  beginPull,
  type Cast,
  castOf,
  rollOut,
  type RolloutResult,
  slowestOf,
  untilIngested,
} from "./lab/rollout.ts";

const MIB = 1024 * 1024;
const LAYERS = [24 * MIB, 24 * MIB];
const HALF_BYTES = 24 * MIB;
/** Slow enough for a fault to come half-way: the image takes four seconds. */
const UPSTREAM_RATE = "100mbit";
/** Longer than the pause between two looks at the bootstrap list. */
const ACQUAINTANCE_MS = 150_000;
/** Rollouts of which one at least is to be shared. */
const ATTEMPTS = 4;
/** Long enough for followers to give up on it, short enough for connections to survive. */
const LINK_DOWN_MS = 5000;
/** What a node receives whose link has gone bad, from upstream as from peers. */
const SLOW_RATE = "6mbit";
const SLOW_MS = 12_000;
/** The host of a registry that refuses what it is asked for. */
const REFUSER = "refuser";
const { old, current } = containerdReleases();

/** What happens half-way through an image. */
const FAULTS: Readonly<Record<string, (lab: Lab, cast: Cast) => Promise<void>>> = {
  "the fetcher's agent is killed": (_lab, { fetcher }) => fetcher.agent.kill(),
  "the home is killed": (_lab, { home }) => home.agent.kill(),
  "a follower with followers is killed": (_lab, { middle }) => middle.agent.kill(),
  "the fetcher's containerd is restarted": async (_lab, { fetcher }) => {
    await fetcher.containerd.stop();
    await fetcher.containerd.start();
  },
};
/** The last, for nodes that lose each other take up to two minutes to find each other again. */
const LINK_FAULTS: typeof FAULTS = {
  "upstream is slow for the fetcher alone": async (lab, { fetcher }) => {
    await lab.network.setDownlink(fetcher.host, SLOW_RATE);
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    await lab.network.setDownlink(fetcher.host, undefined);
  },
  "the fetcher's link is down for a while": async (lab, { fetcher }) => {
    await lab.network.setLink(fetcher.host, "down");
    await new Promise((resolve) => setTimeout(resolve, LINK_DOWN_MS));
    await lab.network.setLink(fetcher.host, "up");
  },
};
/** Faults that the pull on the fetcher itself does not survive, with Eddy or without. */
const FETCHER_FAILS = new Set(["the fetcher's containerd is restarted"]);

for (const release of [old, current] satisfies ContainerdRelease[]) {
  const { name } = release;
  await labSuite(
    `rollout, containerd ${name}`,
    {
      ...{ id: `roll-${name}`, releases: [release, release, release, release] },
      ...{ flags: ["--rollout"], strangers: [REFUSER] },
    },
    async (lab, step) => {
      const image = (of: string) => publish(lab, of, { layerBytes: LAYERS, plain: true });
      const say = (what: string, { layerDownloads }: RolloutResult, ms: number, extraMs?: number) =>
        report(
          `rollout, containerd ${name}: ${what}: slowest ${ms.toFixed(0)} ms` +
            (extraMs === undefined ? "" : ` (extra ${extraMs.toFixed(0)} ms)`) +
            `, ${layerDownloads} layers from upstream`,
        );
      let undisturbedMs = Number.NaN;

      await step("four nodes at once: upstream is asked less than by each for itself", async () => {
        await begin(lab);
        undisturbedMs = await untilShared("calm", async (attempt) => {
          const result = await rollOut(lab, lab.nodes, await image(attempt));
          const slowestMs = slowestOf(result);
          say("undisturbed", result, slowestMs);
          return { result, slowestMs };
        });
        const [from, avoided] = await sums(lab);
        assert.ok(from > 0, "nobody followed");
        assert.ok(avoided >= 24 * MIB, `${avoided} bytes avoided`);
      });

      const inflictAll = async (faults: typeof FAULTS) => {
        for (const [fault, inflict] of Object.entries(faults)) {
          await step(fault, () => underFault(fault, inflict));
        }
      };
      const underFault = async (fault: string, inflict: (typeof FAULTS)[string]) => {
        await begin(lab);
        const published = await image(fault.replaceAll(/\W+/g, "-").toLowerCase());
        let struck: Cast | undefined;
        const result = await rollOut(lab, lab.nodes, published, async () => {
          struck = await castOf(lab, published);
          await untilIngested(struck.fetcher, published, HALF_BYTES);
          const lacking = await struck.fetcher.containerd.lacks(published.image);
          assert.ok(lacking.length > 0, "the fault came too late");
          await inflict(lab, struck);
        });
        const isFetcher = (at: number) => lab.nodes[at] === struck?.fetcher;
        const others = slowestOf({
          ...result,
          pulls: result.pulls.filter((_, at) => !isFetcher(at)),
        });
        say(`${fault}: others`, result, others, others - undisturbedMs);
        if (FETCHER_FAILS.has(fault)) return;
        const own = slowestOf({
          ...result,
          pulls: result.pulls.filter((_, at) => isFetcher(at)),
        });
        say(`${fault}: the fetcher`, result, own, own - undisturbedMs);
      };
      await inflictAll(FAULTS);
      await clientCases(lab, step, say);
      await mixedCases(lab, step, say);
      await inflictAll(LINK_FAULTS);
    },
  );
}

type Say = (what: string, result: RolloutResult, ms: number) => void;

/** What clients and upstream do. */
async function clientCases(lab: Lab, step: Case, say: Say): Promise<void> {
  const [n1, ...others] = lab.nodes;

  await step("the pull that fetches is broken off", async () => {
    await begin(lab);
    const published = await publish(lab, "aborted", { layerBytes: LAYERS, plain: true });
    const pull = beginPull(n1 ?? assert.fail(), published.reference);
    await untilIngested(n1 ?? assert.fail(), published, 4 * MIB);
    const result = await rollOut(lab, others, published, () => pull.cancel());
    say("the fetching pull is broken off", result, slowestOf(result));
  });

  await step(
    "upstream cannot be reached from one node: the others are none the worse",
    async () => {
      await begin(lab);
      const published = await publish(lab, "refused", { layerBytes: LAYERS, plain: true });
      // The node that is ahead of the others, so that it is told to fetch.
      await withoutUpstream(lab, n1 ?? assert.fail(), async () => {
        const pull = beginPull(n1 ?? assert.fail(), published.reference);
        const result = await rollOut(lab, others, published);
        say("upstream refuses one node", result, slowestOf(result));
        await pull.cancel().catch(() => {});
      });
    },
  );

  for (const status of [429, 401] as const) {
    await step(
      `upstream answers ${status} to the one that fetches: another does, and it gets it from there`,
      async () => {
        await begin(lab);
        const published = await publish(lab, `${status}`, { layerBytes: LAYERS, plain: true });
        const node = n1 ?? assert.fail();
        const host = lab.network.host(REFUSER);
        await using registry = await RefusingRegistry.start({ lab, node, host, status });
        const pull = beginPull(node, published.reference);
        await until(async () => await registry.refused() > 0, {
          what: `${node.host.name} to be refused a layer`,
        });
        const result = await rollOut(lab, others, published);
        say(`upstream answers ${status} to one node`, result, slowestOf(result));
        await pull.cancel().catch(() => {});
        // What a kubelet does after a while.
        await node.containerd.fetch(published.reference, { timeoutMs: 30_000 });
        assert.deepEqual(await node.containerd.lacks(published.image), []);
      },
    );
  }

  await step("two tags of one image at once", async () => {
    await begin(lab);
    const given = { layerBytes: LAYERS, plain: true, seed: "tags" };
    const [one, two] = [
      await publish(lab, "tags:one", given),
      await publish(lab, "tags:two", given),
    ];
    const results = await Promise.all([
      rollOut(lab, lab.nodes.slice(0, 2), one),
      rollOut(lab, lab.nodes.slice(2), two),
    ]);
    const pulls = results.flatMap((result) => result.pulls);
    const all = { ...results[0], pulls };
    say("two tags of one image", all, slowestOf(all));
  });

  await step("images that share a layer at once", async () => {
    await begin(lab);
    const shared = { plain: true, seed: "sharing" };
    const [one, two]: Published[] = [
      await publish(lab, "sharing-one", { ...shared, layerBytes: [24 * MIB, 8 * MIB] }),
      await publish(lab, "sharing-two", { ...shared, layerBytes: [24 * MIB, 12 * MIB] }),
    ];
    const results = await Promise.all([
      rollOut(lab, lab.nodes.slice(0, 2), one ?? assert.fail()),
      rollOut(lab, lab.nodes.slice(2), two ?? assert.fail()),
    ]);
    const all = { ...results[0], pulls: results.flatMap((result) => result.pulls) };
    say("images that share a layer", all, slowestOf(all));
  });
}

/** Nodes that do not take part. */
async function mixedCases(lab: Lab, step: Case, say: Say): Promise<void> {
  await step("a node without the feature goes its own way, the others share", async () => {
    await begin(lab);
    const apart = lab.nodes.at(-1) ?? assert.fail();
    await apart.agent.stop();
    await using agent = new Agent({
      ...{ host: apart.host, containerd: apart.containerd, flags: ["--rollout=false"] },
      directory: apart.containerd.certsPath.replace(/\/certs\.d$/, ""),
    });
    await agent.start();
    await untilShared("mixed", async (name) => {
      const published = await publish(lab, name, { layerBytes: LAYERS, plain: true });
      const result = await rollOut(lab, lab.nodes, published);
      const slowestMs = slowestOf(result);
      say("one node without the feature", result, slowestMs);
      return { result, slowestMs };
    });
    await agent.stop();
  });

  await step("upstream is away: pulls fail rather than wait", async () => {
    await begin(lab);
    const published = await publish(lab, "away", { layerBytes: [MIB], plain: true });
    await lab.upstream.stop();
    const began = performance.now();
    const { pulls } = await rollOut(lab, lab.nodes, published);
    report(`upstream away: all pulls failed after ${(performance.now() - began).toFixed(0)} ms`);
    assert.ok(pulls.every(({ status }) => status === "rejected"));
  });
}

async function begin(lab: Lab): Promise<void> {
  await lab.network.setRate(lab.network.host("up"), UPSTREAM_RATE);
  await lab.untilKnown(lab.nodes.length - 1, ACQUAINTANCE_MS);
}

/**
 * Rolls out until one rollout has cost upstream less than if each node had gone by itself: on a busy
 * machine answers come too late now and then, and nodes go upstream as they should.
 *
 * @returns the slowest pull of that one, ms.
 */
async function untilShared(
  name: string,
  attempt: (
    name: string,
  ) => Promise<{ readonly result: RolloutResult; readonly slowestMs: number }>,
): Promise<number> {
  let seen = "";
  for (let tries = 1; tries <= ATTEMPTS; tries++) {
    const { result: { pulls, layerDownloads }, slowestMs } = await attempt(`${name}-${tries}`);
    const alone = pulls.length * LAYERS.length;
    if (layerDownloads < alone) return slowestMs;
    seen += ` ${layerDownloads} of ${alone}`;
  }
  throw new Error(`layers from upstream:${seen}`);
}

/** Content that began to come from nodes that were elected, and bytes, over all nodes. */
async function sums(lab: Lab): Promise<[number, number]> {
  const metrics = await Promise.all(lab.nodes.map(({ agent }) => agent.metrics()));
  const sum = (name: string) => metrics.reduce((total, each) => total + each.sum(name), 0);
  return [sum("eddy_rollout_follows_total"), sum("eddy_rollout_avoided_bytes_total")];
}

/** Lets a node's packets to upstream be refused at once. */
async function withoutUpstream(lab: Lab, node: LabNode, body: () => Promise<void>): Promise<void> {
  const route = (verb: string) =>
    runCommand([
      ...["ip", "-n", node.host.namespace, "route", verb],
      ...["prohibit", lab.network.host("up").address],
    ]);
  await route("add");
  await body().finally(() => route("del"));
}
