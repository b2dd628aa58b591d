import { systemClock } from "../../lib/async/clock.ts";
import { Fleet, type Worker } from "./fleet.ts";
import { type Idle, idleOf } from "./idle.ts";
import { GoNode } from "./go_node.ts";
import { keysOf } from "./protocol.ts";
import { type Percentiles, percentiles } from "./statistics.ts";

/** Rate at which a blob is served while keys are announced: a gigabit per second, in bytes. */
const SERVED_PER_SECOND = 125e6;
const BLOB_BYTES = 4e9;

export interface Setting {
  /** Address to listen on. */
  readonly address: string;
  readonly quick: boolean;
}

/** Announcing many keys at once into a cluster of twenty. */
export interface BulkResult {
  readonly name: string;
  readonly keys: number;
  /** Time until all keys could be found, ms. */
  readonly findableMs: number;
  /** CPU seconds of the announcing node, without serving the blob. */
  readonly cpuSeconds: number;
  /** CPU seconds of all nodes that store the records. */
  readonly receiversCpuSeconds: number | undefined;
  /** Event loop delay of the announcing node. */
  readonly delay: Percentiles | undefined;
  /** Throughput of the blob meanwhile, MB/s. */
  readonly servedMBs: number | undefined;
  readonly lookups: Percentiles;
  /** Memory per ten thousand records, at the nodes that store them. */
  readonly bytesPer10k: number | undefined;
}

type Looked = Percentiles & { missed: number };

/** Eddy: one of twenty nodes announces ten thousand keys and serves a blob. */
export async function bulkEddy({ address, quick }: Setting): Promise<BulkResult & { idle: Idle }> {
  const set = { name: "bulk", count: quick ? 2000 : 10_000 };
  await using fleet = await Fleet.start({ sizes: [1, 10, 9], address });
  const [sender, keepers, others] = fleet.workers;
  if (!sender || !keepers || !others) throw new RangeError("three processes are needed");
  const idle = await idleOf(fleet, 20, quick);
  const heap = await keepers.tell<{ heapBytes: number }>({ op: "memory" });
  await using blob = await ServedBlob.start(sender, address);
  const servingCpu = await rateOf(sender, 3000);
  const before = { cpu: sender.cpuSeconds(), all: fleet.cpuSeconds(), served: blob.bytes };
  await sender.tell({ op: "measureDelay" });
  const start = Date.now();
  await sender.tell({ op: "advertise", keys: [set], nodes: [0] });
  const ends = await Promise.all(
    [keepers, others].map((worker) =>
      worker.tell<number[]>({ op: "untilRecords", count: set.count })
    ),
  );
  const findableMs = Math.max(...ends.flat()) - start;
  const elapsed = (Date.now() - start) / 1000;
  const cpu = sender.cpuSeconds() - before.cpu;
  const all = fleet.cpuSeconds() - before.all;
  const delay = await sender.tell<Percentiles>({ op: "delay" });
  const servedMBs = (blob.bytes - before.served) / 1e6 / elapsed;
  const heapAfter = await keepers.tell<{ heapBytes: number }>({ op: "memory" });
  const lookups = await keepers.tell<Looked>({
    op: "lookups",
    keys: [set],
    nodes: [0, 3, 6],
    count: 500,
    limitMs: 1000,
  });
  if (lookups.missed > 0) throw new Error(`${lookups.missed} keys were not found`);
  return {
    name: "Eddy",
    keys: set.count,
    findableMs,
    cpuSeconds: Math.max(0, cpu - servingCpu * elapsed),
    receiversCpuSeconds: all - cpu,
    delay,
    servedMBs,
    lookups,
    bytesPer10k: (heapAfter.heapBytes - heap.heapBytes) / 10 / set.count * 10_000,
    idle,
  };
}

/** The library as it is: `provide()` for each key. */
export async function bulkPlain({ address, quick }: Setting): Promise<BulkResult> {
  const set = { name: "plain", count: quick ? 20 : 100 };
  await using fleet = await Fleet.start({ kind: "plain", sizes: [1, 10, 9], address });
  const [sender, keepers] = fleet.workers;
  if (!sender || !keepers) throw new RangeError("three processes are needed");
  const before = { cpu: sender.cpuSeconds(), all: fleet.cpuSeconds() };
  await sender.tell({ op: "measureDelay" });
  const findableMs = await sender.tell<number>({ op: "advertise", keys: [set], nodes: [0] });
  const cpuSeconds = sender.cpuSeconds() - before.cpu;
  const all = fleet.cpuSeconds() - before.all;
  const delay = await sender.tell<Percentiles>({ op: "delay" });
  const lookups = await keepers.tell<Looked>({
    op: "lookups",
    keys: [set],
    nodes: [0, 3, 6],
    count: 100,
    limitMs: 10_000,
  });
  return {
    name: "js-libp2p, provide()",
    keys: set.count,
    findableMs,
    cpuSeconds,
    receiversCpuSeconds: all - cpuSeconds,
    delay,
    servedMBs: undefined,
    lookups,
    bytesPer10k: undefined,
  };
}

/**
 * A Go node with the sweeping provider, among nineteen of Eddy's nodes, each at its own address.
 */
export async function bulkGo({ quick }: Setting, network: string): Promise<BulkResult> {
  const set = { name: "go", count: quick ? 2000 : 10_000 };
  const others = { name: "eddy", count: 500 };
  const address = Array.from({ length: 19 }, (_, i) => `${network}.${i + 2}`);
  await using fleet = await Fleet.start({ sizes: [10, 9], address });
  await using sender = await GoNode.start(`${network}.1`, 21_000, fleet.addresses);
  await until(async () => await sender.peers() >= 19);
  await systemClock.sleep(3000);
  const before = { cpu: sender.cpuSeconds(), all: fleet.cpuSeconds() };
  const start = Date.now();
  await sender.advertise(keysOf(set));
  const ends = await fleet.all((worker) =>
    worker.tell<number[]>({ op: "untilRecords", count: set.count })
  );
  const findableMs = Math.max(...ends.flat()) - start;
  const cpuSeconds = sender.cpuSeconds() - before.cpu;
  const receiversCpuSeconds = fleet.cpuSeconds() - before.all;
  await fleet.workers[0]?.tell({ op: "advertise", keys: [others], nodes: [0] });
  await systemClock.sleep(1000);
  const times: number[] = [];
  for (const key of keysOf(others).slice(0, 200)) {
    const ms = await sender.first(key);
    if (ms !== undefined) times.push(ms);
  }
  if (times.length < 200) throw new Error(`the Go node found ${times.length} of 200 keys`);
  return {
    name: "go-libp2p, sweeping provider",
    keys: set.count,
    findableMs,
    cpuSeconds,
    receiversCpuSeconds,
    delay: undefined,
    servedMBs: undefined,
    lookups: percentiles(times),
    bytesPer10k: undefined,
  };
}

/** Twenty nodes with two thousand keys each, started at once. */
export interface TogetherResult {
  readonly nodes: number;
  readonly keys: number;
  readonly readyMs: number;
  readonly advertisedMs: number;
  /** CPU seconds of the busiest node per thousand of its keys. */
  readonly cpuSecondsPer1000: number;
}

export async function startTogether({ address, quick }: Setting): Promise<TogetherResult> {
  const [nodes, keys] = [20, quick ? 500 : 2000];
  await using fleet = await Fleet.start({
    sizes: Array(nodes).fill(1),
    address,
    waitForMesh: false,
  });
  const cpu = fleet.workers.map(() => 0);
  const records = await fleet.all(async (worker, i) => {
    await worker.tell({ op: "advertise", keys: [{ name: `n${i}`, count: keys }], nodes: [0] });
    const [at = NaN] = await worker.tell<number[]>({
      op: "untilRecords",
      count: (nodes - 1) * keys,
    });
    cpu[i] = worker.cpuSeconds() - (fleet.cpuBefore[i] ?? 0);
    return at;
  });
  return {
    nodes,
    keys,
    readyMs: fleet.readyMs,
    advertisedMs: Math.max(...records) - fleet.begunAt,
    cpuSecondsPer1000: Math.max(...cpu) / keys * 1000,
  };
}

/** Cost of a full reprovide. */
export interface ReprovideResult {
  readonly keys: number;
  readonly cpuSeconds: number;
  /** Share of one core over the default interval. */
  readonly share: number;
}

export async function reprovide({ address, quick }: Setting): Promise<ReprovideResult> {
  const set = { name: "again", count: quick ? 2000 : 10_000 };
  const intervalMs = quick ? 15_000 : 30_000;
  const cost = async (reprovideIntervalMs: number) => {
    await using fleet = await Fleet.start({
      sizes: [1, 19],
      address,
      options: { reprovideIntervalMs },
    });
    const [sender, keepers] = fleet.workers;
    if (!sender || !keepers) throw new RangeError("two processes are needed");
    await sender.tell({ op: "advertise", keys: [set], nodes: [0] });
    await keepers.tell({ op: "untilRecords", count: set.count });
    await systemClock.sleep(10_000);
    const before = sender.cpuSeconds();
    await systemClock.sleep(intervalMs);
    return sender.cpuSeconds() - before;
  };
  const [idle, busy] = [await cost(86_400_000), await cost(intervalMs)];
  const cpuSeconds = Math.max(0, busy - idle);
  return { keys: set.count, cpuSeconds, share: cpuSeconds / 600 };
}

/** CPU seconds per second of a process, over some time. */
async function rateOf(worker: Worker, ms: number): Promise<number> {
  const before = worker.cpuSeconds();
  await systemClock.sleep(ms);
  return (worker.cpuSeconds() - before) / (ms / 1000);
}

/** A blob that a worker serves and this process reads at a fixed rate. */
class ServedBlob implements AsyncDisposable {
  bytes = 0;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  static async start(worker: Worker, address: string): Promise<ServedBlob> {
    const url = await worker.tell<string>({ op: "serveBlob", bytes: BLOB_BYTES, address });
    const blob = new ServedBlob();
    blob.#done = blob.#read(url).catch(() => {});
    return blob;
  }

  async #read(url: string): Promise<void> {
    const response = await fetch(url, this.#stop);
    const start = performance.now();
    for await (const piece of response.body ?? []) {
      this.bytes += piece.length;
      const aheadMs = this.bytes / SERVED_PER_SECOND * 1000 - (performance.now() - start);
      if (aheadMs > 5) await systemClock.sleep(aheadMs, this.#stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

async function until(condition: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!await condition()) {
    if (performance.now() > end) throw new Error("waited too long");
    await systemClock.sleep(50);
  }
}
