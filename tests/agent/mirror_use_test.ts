import assert from "node:assert/strict";
import { MirrorUse, type MirrorUseCollaborators } from "../../lib/agent/mirror_use.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { eventually } from "../support/eventually.ts";
import { test } from "../support/test.ts";

/** A containerd that may ask the agent or not, and an agent that may be reached at its URL or not. */
class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly log = new MemoryLog();
  readonly pulled: string[] = [];
  readonly passedOn: string[] = [];
  readonly use: MirrorUse;
  asks = true;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();
  #run: Promise<void> | undefined;

  constructor({ reachable = true, registry }: { reachable?: boolean; registry?: string } = {}) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#handle(request),
    );
    const { port } = this.#server.addr;
    this.use = new MirrorUse({ clock: this.clock, log: this.log, pull: this.#pull }, {
      targets: [reachable ? `http://127.0.0.1:${port}` : "http://127.0.0.1:1"],
      registry,
      doubt: "two directories: name one",
    });
  }

  start(): void {
    this.#run = this.use.run(this.#stop).catch(() => {});
  }

  /** Lines that a user sees. */
  get told(): string[] {
    return this.log.lines.filter(({ level }) => level !== "debug").map(({ message }) => message);
  }

  /** Waits until so many probes are over and, but for one that succeeded, the next is awaited. */
  async probed(count: number): Promise<void> {
    await eventually("it has been tried", () => this.pulled.length >= count);
    await eventually(
      "it waits, or is done",
      () => this.clock.sleeping > 0 || this.use.asked === true,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#run;
    await this.#server.shutdown();
    assert.equal(this.clock.sleeping, 0);
  }

  readonly #pull: MirrorUseCollaborators["pull"] = async (reference, { signal }) => {
    this.pulled.push(reference);
    const [, repository = "", tag] = /^[^/]+\/(.*):(.*)$/.exec(reference) ?? [];
    const url = `http://127.0.0.1/v2/${repository}/manifests/${tag}`;
    if (this.asks) await this.#handle(new Request(url, { method: "HEAD" }));
    signal.throwIfAborted();
    throw new Error("no such image");
  };

  #handle(request: Request): Response | Promise<Response> {
    return this.use.intercept((other: Request) => {
      this.passedOn.push(new URL(other.url).pathname);
      return new Response("passed on");
    })(request, undefined);
  }
}

test("mirror use: containerd that asks is found out once, and nobody else sees the request", async () => {
  await using rig = new Rig();
  assert.equal(rig.use.asked, false, "it is not known to ask before");
  rig.start();
  await rig.probed(1);
  assert.equal(rig.use.asked, true);
  assert.match(rig.pulled[0] ?? "", /^eddy-probe\.invalid\/eddy-probe\/[0-9a-f-]{36}:probe$/);
  assert.deepEqual(rig.passedOn, []);
  assert.deepEqual(rig.told, ["containerd asks this agent"]);
  assert.equal(rig.clock.sleeping, 0);
});

test("mirror use: containerd that does not ask is told of once, and tried until it does", async () => {
  await using rig = new Rig({ registry: "docker.io" });
  rig.asks = false;
  rig.start();
  await rig.probed(1);
  await rig.clock.advance(10_000);
  await rig.probed(2);
  assert.equal(rig.use.asked, false);
  assert.deepEqual(rig.told, [
    "containerd does not ask this agent, which is not ready: two directories: name one",
  ]);
  assert.match(rig.pulled[1] ?? "", /^docker\.io\/eddy-probe\//);
  rig.asks = true;
  await rig.clock.advance(60_000);
  await rig.probed(3);
  await eventually("it is found out", () => rig.use.asked === true);
  assert.equal(rig.told.at(-1), "containerd asks this agent");
});

test("mirror use: where not even the agent reaches itself, nothing is held against containerd", async () => {
  await using rig = new Rig({ reachable: false });
  rig.asks = false;
  rig.start();
  await rig.probed(1);
  assert.equal(rig.use.asked, undefined);
  assert.deepEqual(rig.told, [
    "whether containerd asks this agent cannot be found out: two directories: name one",
  ]);
});

test("mirror use: requests that nobody awaits are passed on", async () => {
  await using rig = new Rig();
  const path = `/v2/eddy-probe/${crypto.randomUUID()}/manifests/probe`;
  const handle = rig.use.intercept(() => new Response("passed on"));
  for (const each of [path, "/v2/library/nginx/manifests/1", "/livez"]) {
    const response = await handle(new Request(`http://127.0.0.1${each}`), undefined);
    assert.equal(await response.text(), "passed on");
  }
});
