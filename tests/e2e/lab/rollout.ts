import assert from "node:assert/strict";
import type { Lab, LabNode } from "./lab.ts";
import { onHost } from "./network.ts";
import type { Published } from "./publish.ts";
import { until } from "./until.ts";

/** Who does what in a rollout that is under way, for one layer. */
export interface Cast {
  /** Gets it from upstream. */
  readonly fetcher: LabNode;
  /** Decides for the others; a node like all of them. */
  readonly home: LabNode;
  /** Follows one, and is followed by another. */
  readonly middle: LabNode;
}

/** What a rollout came to. */
export interface RolloutResult {
  /** For each node that pulled, the time or why it failed. */
  readonly pulls: readonly PromiseSettledResult<number>[];
  /** Requests for layers that upstream answered with content. */
  readonly layerDownloads: number;
}

/**
 * Lets nodes pull an image in the same instant, and does something meanwhile.
 *
 * @param meanwhile gets the node that upstream sends the first layer to, once half of it is there.
 */
export async function rollOut(
  lab: Lab,
  nodes: readonly LabNode[],
  published: Published,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<RolloutResult> {
  const { reference, image } = published;
  const before = (await layerRequests(lab, published)).length;
  const all = Promise.allSettled(nodes.map(async ({ containerd }) => {
    const began = performance.now();
    await containerd.fetch(reference, { timeoutMs: 90_000 });
    const tookMs = performance.now() - began;
    assert.deepEqual(await containerd.lacks(image), []);
    return tookMs;
  }));
  await meanwhile();
  const pulls = await all;
  const layerDownloads = (await layerRequests(lab, published)).length - before;
  return { pulls, layerDownloads };
}

/** Time of the slowest pull, ms; fails with the first reason if any pull failed. */
export function slowestOf({ pulls }: RolloutResult): number {
  return Math.max(...pulls.map((pull) => {
    if (pull.status === "rejected") throw pull.reason;
    return pull.value;
  }));
}

/** Waits until a node has written so many bytes of what it is fetching, or has all of it. */
export async function untilIngested(
  { containerd, host }: LabNode,
  { image }: Published,
  bytes: number,
): Promise<void> {
  await until(async () => {
    if ((await containerd.lacks(image)).length === 0) return true;
    let sum = 0;
    const ingest = `${containerd.contentPath}/ingest`;
    for await (const { name } of Deno.readDir(ingest)) {
      sum += await Deno.stat(`${ingest}/${name}/data`).then(({ size }) => size, () => 0);
    }
    return sum >= bytes;
  }, { what: `${host.name} to have got ${bytes} bytes`, timeoutMs: 60_000, intervalMs: 10 });
}

/** Nodes that have not agreed by then were too busy to. */
const AGREEMENT_MS = 1500;

/**
 * Finds out from logs who does what, for the first layer; any node stands for a part that nobody has
 * taken soon.
 */
export async function castOf(lab: Lab, published: Published): Promise<Cast> {
  const key = published.image.layers[0]?.digest;
  const names = new Map<unknown, LabNode>();
  for (const node of lab.nodes) {
    const listening = (await node.agent.log()).findLast(({ msg }) => msg === "router listens");
    names.set(listening?.id, node);
  }
  const began = performance.now();
  const { value } = await until(async () => {
    let fetcher: LabNode | undefined;
    let home: LabNode | undefined;
    const parents = new Map<LabNode, LabNode | undefined>();
    for (const node of lab.nodes) {
      const turn = (await node.agent.log()).findLast((line) =>
        line.msg === "turn" && line.key === key
      );
      if (turn === undefined) continue;
      home = turn.home === "self" ? node : names.get(turn.home);
      if (turn.turn === "fetch") fetcher = node;
      else parents.set(node, names.get(turn.peer));
    }
    const followed = new Set(parents.values());
    const middle = [...parents.keys()].find((node) => followed.has(node));
    if (fetcher && home && middle) return { fetcher, home, middle };
    if (performance.now() - began < AGREEMENT_MS) return undefined;
    fetcher ??= lab.node(1);
    return { fetcher, home: home ?? lab.node(2), middle: middle ?? lab.node(3) };
  }, { what: "nodes to have agreed on who fetches", timeoutMs: 20_000, intervalMs: 20 });
  return value;
}

/** Begins a pull that can be broken off. */
export function beginPull({ host, containerd }: LabNode, reference: string) {
  const args = ["content", "fetch", "--hosts-dir", containerd.certsPath, reference];
  const [command = "", ...rest] = onHost(host, [...containerd.ctrArgv(), ...args]);
  const child = new Deno.Command(command, {
    args: rest,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    /** Ends it as a client that goes away would. */
    async cancel(): Promise<void> {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

async function layerRequests(lab: Lab, { image }: Published) {
  const layers = image.layers.map(({ digest }) => digest);
  return (await lab.upstream.downloads()).filter(({ path, status }) =>
    status < 300 && layers.some((digest) => path.endsWith(digest))
  );
}
