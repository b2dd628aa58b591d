/**
 * A process of the benchmark with any number of nodes. Reads one JSON command per line on standard
 * input, writes one answer per line on standard output.
 */
import { Socket } from "node:net";
import { systemClock } from "../../lib/async/clock.ts";
import { deadline } from "../../lib/async/deadline.ts";
import { DelayMeter } from "./delay_meter.ts";
import { FrameDecoder } from "../../lib/router/dht/dht_stream.ts";
import { type BenchNode, startEddy } from "./eddy_node.ts";
import { startPlain } from "./plain_node.ts";
import { percentiles } from "./statistics.ts";
import type { Command, KeySet, Lookups } from "./protocol.ts";
import { keysOf } from "./protocol.ts";

const nodes: BenchNode[] = [];
const traffic = { messages: 0, bytes: 0 };
const delay = new DelayMeter();
let blobServer: Deno.HttpServer<Deno.NetAddr> | undefined;
let watching: { stop: () => void } | undefined;

countTraffic();
for await (const line of linesOf(Deno.stdin.readable)) {
  const { id, command } = JSON.parse(line) as { id: number; command: Command };
  run(command).then(
    (result) => reply({ id, result: result ?? null }),
    (error) => reply({ id, error: String(error?.stack ?? error) }),
  );
}
Deno.exit(0);

async function run(command: Command): Promise<unknown> {
  switch (command.op) {
    case "start":
      return await start(command);
    case "connect":
      return await Promise.all(nodes.map((node) => node.connect?.(command.addresses)));
    case "meshed":
      return await Promise.all(nodes.map((node) => until(() => node.peers() >= command.peers)));
    case "peers":
      return nodes.map((node) => node.peers());
    case "advertise":
      return await advertise(command.keys, command.nodes);
    case "records":
      return nodes.map((node) => node.records());
    case "untilRecords":
      return await Promise.all(nodes.map((node) => until(() => node.records() >= command.count)));
    case "lookups":
      return await lookups(command);
    case "watch":
      return watch(command.keys, command.dead);
    case "watched":
      return watched();
    case "traffic":
      return { ...traffic };
    case "measureDelay":
      return delay.start();
    case "delay":
      return delay.stop();
    case "serveBlob":
      return serveBlob(command.bytes, command.address);
    case "memory":
      return memory();
  }
}

async function start({ kind, peers, addresses, options }: Command & { op: "start" }) {
  const make = kind === "plain" ? startPlain : startEddy;
  const started = performance.now();
  const added = await Promise.all(addresses.map((address) => make({ peers, address, options })));
  nodes.push(...added);
  await Promise.all(added.map((node) => until(() => node.ready())));
  return {
    ids: added.map(({ id }) => id),
    addresses: added.map(({ addresses }) => addresses),
    readyMs: performance.now() - started,
  };
}

async function advertise(sets: readonly KeySet[], which: readonly number[]) {
  const start = performance.now();
  await Promise.all(which.map(async (index, i) => {
    const set = sets[i];
    if (set !== undefined) await nodes[index]?.advertise(keysOf(set));
  }));
  return performance.now() - start;
}

/**
 * Looks keys up one after the other, on each node in turn; returns the times to the first holder.
 */
async function lookups({ keys, nodes: which, count, limitMs, gapMs = 0 }: Lookups) {
  const all = keys.flatMap(keysOf);
  const times: number[] = [];
  let missed = 0;
  for (let i = 0; i < count; i++) {
    const node = nodes[which[i % which.length] ?? 0];
    const key = all[Math.floor(Math.random() * all.length)];
    if (node === undefined || key === undefined) throw new RangeError("no such node or key");
    const start = performance.now();
    using limit = deadline(limitMs);
    const found = await node.first(key, limit.signal);
    if (found) times.push(performance.now() - start);
    else missed++;
    if (gapMs > 0) await systemClock.sleep(gapMs);
  }
  return { missed, ...percentiles(times) };
}

/** Looks keys up continuously and records when a dead node was last found. */
function watch(keys: readonly KeySet[], dead: readonly string[]): void {
  const names = new Set(dead);
  const all = keys.flatMap(keysOf);
  const start = performance.now();
  const times: number[] = [];
  let [lastDeadMs, missed, stopped] = [0, 0, false];
  const loop = async () => {
    for (let i = 0; !stopped; i++) {
      const node = nodes[i % nodes.length];
      const key = all[Math.floor(Math.random() * all.length)];
      if (node === undefined || key === undefined) return;
      const asked = performance.now();
      using limit = deadline(2000);
      let live = 0;
      for await (const id of node.lookup(key, limit.signal)) {
        if (names.has(id)) lastDeadMs = performance.now() - start;
        else if (live++ === 0) times.push(performance.now() - asked);
      }
      if (live === 0) missed++;
      await systemClock.sleep(2);
    }
  };
  const done = loop();
  watching = {
    async stop() {
      stopped = true;
      await done;
      return { lastDeadMs, missed, ...percentiles(times) };
    },
  };
}

function watched() {
  return watching?.stop();
}

/** Serves a blob of a layer's size, as the registry does. */
function serveBlob(bytes: number, hostname: string): string {
  const piece = new Uint8Array(256 * 1024);
  blobServer = Deno.serve({ hostname, port: 0, onListen() {} }, () => {
    let left = bytes;
    return new Response(
      new ReadableStream({
        pull(controller) {
          const size = Math.min(left, piece.length);
          controller.enqueue(piece.subarray(0, size));
          left -= size;
          if (left === 0) controller.close();
        },
      }),
    );
  });
  return `http://${hostname}:${blobServer.addr.port}`;
}

function memory(): { rssBytes: number; heapBytes: number } {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = Deno.memoryUsage();
  return { rssBytes: rss, heapBytes: heapUsed };
}

/** Counts bytes written to sockets and DHT messages received. */
function countTraffic(): void {
  const write = Socket.prototype.write;
  Socket.prototype.write = function (this: Socket, chunk: unknown, ...rest: unknown[]) {
    traffic.bytes += chunk instanceof Uint8Array || typeof chunk === "string" ? chunk.length : 0;
    return Reflect.apply(write, this, [chunk, ...rest]);
  } as typeof write;
  const push = FrameDecoder.prototype.push;
  FrameDecoder.prototype.push = function* (piece) {
    for (const frame of push.call(this, piece)) {
      traffic.messages++;
      yield frame;
    }
  };
}

/** Resolves with the wall clock time at which the condition holds. */
async function until(condition: () => boolean, timeoutMs = 150_000): Promise<number> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error("waited too long");
    await systemClock.sleep(10);
  }
  return Date.now();
}

function reply(message: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
