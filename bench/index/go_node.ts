import { systemClock } from "../../lib/async/clock.ts";
import { cpuSeconds } from "./fleet.ts";

/** The Go node's path, shared with the interoperability tests. */
const BINARY = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`
}/eddy/bin/interop-node`;

/** A node on go-libp2p-kad-dht with its sweeping provider, from the interoperability tests. */
export class GoNode implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #control: string;

  private constructor(child: Deno.ChildProcess, control: string) {
    this.#child = child;
    this.#control = control;
  }

  /** Returns why there is no Go node here; undefined if there is. */
  static async missing(): Promise<string | undefined> {
    const there = await Deno.stat(BINARY).then(({ isFile }) => isFile, () => false);
    return there
      ? undefined
      : `${BINARY} is not there (tests/interop/README.md says how to build it)`;
  }

  /** Starts a node on an address other than loopback, which it does not announce. */
  static async start(address: string, port: number, peers: readonly string[]): Promise<GoNode> {
    const control = `http://${address}:${port + 2}`;
    const child = new Deno.Command(BINARY, {
      args: [
        `--router-addr=${address}:${port}`,
        `--registry-addr=${address}:${port + 1}`,
        `--metrics-addr=${address}:${port + 2}`,
        "--quic=false",
        ...(peers.length === 0 ? [] : [
          "--bootstrap-kind=static",
          `--static-bootstrap-peers=${peers.join(",")}`,
        ]),
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const node = new GoNode(child, control);
    for (let tries = 0; tries < 200; tries++) {
      if (await node.peers().then(() => true, () => false)) return node;
      await systemClock.sleep(50);
    }
    await node[Symbol.asyncDispose]();
    throw new Error("the Go node does not start");
  }

  /** Number of known peers. */
  async peers(): Promise<number> {
    const response = await fetch(`${this.#control}/peers`);
    return (await response.json() as unknown[] | null)?.length ?? 0;
  }

  /** Passes keys to its provider; resolves when they are queued. */
  async advertise(keys: readonly string[]): Promise<void> {
    const response = await fetch(`${this.#control}/advertise`, {
      method: "POST",
      body: keys.join("\n"),
    });
    if (!response.ok) throw new Error(`advertise: ${await response.text()}`);
    await response.body?.cancel();
  }

  /** Milliseconds to the first holder, by its own measurement; undefined if none was found. */
  async first(key: string): Promise<number | undefined> {
    const response = await fetch(`${this.#control}/find?count=1&key=${encodeURIComponent(key)}`);
    const holders = await response.json() as { ms: number }[];
    return holders[0]?.ms;
  }

  cpuSeconds(): number {
    return cpuSeconds(this.#child.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}
