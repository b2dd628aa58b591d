import type { Command } from "./protocol.ts";

/** Ticks of /proc/PID/stat per second on Linux. */
const TICKS_PER_SECOND = 100;

/** A process with nodes. */
export class Worker {
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #next = 0;

  constructor() {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--v8-flags=--expose-gc",
        new URL("./worker.ts", import.meta.url).pathname,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.pid = this.#child.pid;
    this.#stdin = this.#child.stdin.getWriter();
    this.#read().catch((error) => this.#fail(error));
  }

  /** Runs a command in the process. */
  async tell<T>(command: Command): Promise<T> {
    const id = this.#next++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    await this.#stdin.write(new TextEncoder().encode(`${JSON.stringify({ id, command })}\n`));
    return await waiting.promise as T;
  }

  /** CPU seconds of the process. */
  cpuSeconds(): number {
    return cpuSeconds(this.pid);
  }

  /** Kills it, like a power cut. */
  async kill(): Promise<void> {
    this.#fail(new Error("killed"));
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#answer(JSON.parse(line));
    }
    this.#fail(new Error("the worker ended"));
  }

  #answer({ id, result, error }: { id: number; result?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #fail(error: Error): void {
    for (const { reject, promise } of this.#waiting.values()) {
      promise.catch(() => {});
      reject(error);
    }
    this.#waiting.clear();
  }
}

/** CPU seconds of a process, user and system. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Result of `start`. */
interface Started {
  readonly ids: readonly string[];
  readonly addresses: readonly (readonly string[])[];
  readonly readyMs: number;
}

export interface FleetOptions {
  readonly kind?: "eddy" | "plain";
  /** Number of nodes per process. */
  readonly sizes: readonly number[];
  /** Listening address of all nodes, or of each in order. */
  readonly address?: string | readonly string[];
  /** Options of the router. */
  readonly options?: Readonly<Record<string, number>>;
  /** False: does not wait until the nodes know each other. */
  readonly waitForMesh?: boolean;
  /** Share of all other nodes that each must know; default 1. */
  readonly knownShare?: number;
  /**
   * Starts one process after the other, each when the nodes so far know each other: a few cores are
   * too slow for what many machines do at once within the deadlines of a LAN.
   */
  readonly inTurn?: boolean;
}

/** Processes with nodes that know each other; stopped with the scope. */
export class Fleet implements AsyncDisposable {
  readonly workers: Worker[] = [];
  readonly ids: string[][] = [];
  /** Multiaddrs of all nodes. */
  readonly addresses: string[] = [];
  /** Time until the last node was ready, without the start of the processes, ms. */
  readyMs = 0;
  /** Time until each node knew the others, ms. */
  meshedMs = 0;
  /** Wall clock at the nodes' start, and the CPU seconds of each process by then. */
  begunAt = 0;
  cpuBefore: number[] = [];

  static async start(settings: FleetOptions): Promise<Fleet> {
    const { sizes, kind = "eddy", address = "127.0.0.1", options = {}, knownShare = 1 } = settings;
    const fleet = new Fleet();
    try {
      fleet.workers.push(...sizes.map(() => new Worker()));
      await Promise.all(fleet.workers.map((worker) => worker.tell({ op: "traffic" })));
      const command = { op: "start", kind, options } as const;
      const size = sizes.reduce((sum, count) => sum + count, 0);
      const addresses = typeof address === "string"
        ? Array<string>(size).fill(address)
        : [...address];
      const [first] = fleet.workers;
      if (first === undefined) throw new RangeError("a fleet needs a process");
      const begun = performance.now();
      fleet.begunAt = Date.now();
      fleet.cpuBefore = fleet.workers.map((worker) => worker.cpuSeconds());
      const seed = await first.tell<Started>({
        ...command,
        addresses: addresses.splice(0, 1),
        peers: [],
      });
      const seeds = seed.addresses[0] ?? [];
      const counts = sizes.map((count, i) => i === 0 ? count - 1 : count);
      const start = (worker: Worker, i: number) =>
        worker.tell<Started>({
          ...command,
          addresses: addresses.splice(0, counts[i] ?? 0),
          peers: seeds,
        });
      const rest = settings.inTurn
        ? await fleet.#startInTurn(start, counts, knownShare)
        : await fleet.all(start);
      fleet.addresses.push(...[seed, ...rest].flatMap((part) => part.addresses.flat()));
      fleet.readyMs = performance.now() - begun;
      fleet.ids.push(...rest.map(({ ids }, i) => i === 0 ? [...seed.ids, ...ids] : [...ids]));
      if (settings.waitForMesh === false) return fleet;
      // By itself the library knows all nodes only after minutes.
      if (kind === "plain") {
        await fleet.all((worker) => worker.tell({ op: "connect", addresses: fleet.addresses }));
      }
      const peers = Math.ceil((size - 1) * knownShare);
      await fleet.all((worker) => worker.tell({ op: "meshed", peers }));
      fleet.meshedMs = performance.now() - begun;
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #startInTurn(
    start: (worker: Worker, i: number) => Promise<Started>,
    counts: readonly number[],
    knownShare: number,
  ): Promise<Started[]> {
    const started: Started[] = [];
    let known = 0;
    for (const [i, worker] of this.workers.entries()) {
      started.push(await start(worker, i));
      known += counts[i] ?? 0;
      const peers = Math.ceil(known * knownShare);
      await Promise.all(
        this.workers.slice(0, i + 1).map((worker) => worker.tell({ op: "meshed", peers })),
      );
    }
    return started;
  }

  /** Runs a function on all processes at once. */
  all<T>(run: (worker: Worker, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.workers.map(run));
  }

  /** CPU seconds of all processes. */
  cpuSeconds(): number {
    return this.workers.reduce((sum, worker) => sum + worker.cpuSeconds(), 0);
  }

  /** Messages received and bytes sent by all nodes. */
  async traffic(): Promise<{ messages: number; bytes: number }> {
    const all = await this.all((worker) =>
      worker.tell<{ messages: number; bytes: number }>({ op: "traffic" })
    );
    return {
      messages: all.reduce((sum, { messages }) => sum + messages, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill().catch(() => {})));
  }
}
