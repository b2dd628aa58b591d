import assert from "node:assert/strict";
import { AcceptLoop, type Acceptor } from "../../lib/net/accept_loop.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

/** A connection of no consequence. */
class Connection {
  closed = false;
  close(): void {
    this.closed = true;
  }
}

/** Accepts what it is given, or fails with it. */
class Listener implements Acceptor<Connection> {
  readonly #outcomes: (Connection | Error)[] = [];
  #wake: (() => void) | undefined;
  closed = false;

  give(...outcomes: (Connection | Error)[]): void {
    this.#outcomes.push(...outcomes);
    this.#wake?.();
  }

  async accept(): Promise<Connection> {
    while (!this.closed) {
      const outcome = this.#outcomes.shift();
      if (outcome instanceof Error) throw outcome;
      if (outcome !== undefined) return outcome;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    throw new Deno.errors.BadResource("closed");
  }

  close(): void {
    this.closed = true;
    this.#wake?.();
  }
}

function setup(listen = (): Listener => new Listener()) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const listeners: Listener[] = [];
  const taken: Connection[] = [];
  const loop = new AcceptLoop<Connection>({
    listen: () => {
      const listener = listen();
      listeners.push(listener);
      return listener;
    },
    take: (connection) => taken.push(connection),
    ...{ clock, log },
  }, "127.0.0.1:5000");
  return { clock, log, listeners, taken, loop };
}

const tooManyFiles = () => Object.assign(new Error("Too many open files"), { code: "EMFILE" });

test("accept loop: too many open files are a pause, and meanwhile it says that it is deaf", async () => {
  const s = setup();
  s.loop.open();
  const [listener] = s.listeners;
  assert.ok(listener);
  listener.give(new Connection(), tooManyFiles(), tooManyFiles(), tooManyFiles());
  await s.clock.advance(0);
  assert.equal(s.taken.length, 1);
  assert.equal(s.loop.deaf, true);
  await s.clock.advance(1000);
  listener.give(new Connection());
  await s.clock.advance(0);
  assert.equal(s.taken.length, 2);
  await s.clock.advance(3000);
  assert.equal(s.loop.deaf, false);
  assert.equal(s.listeners.length, 1, "what waits at the listener is not lost");
  assert.deepEqual(s.log.lines.map(({ level }) => level), ["warn", "info"]);
  s.loop.close();
});

test("accept loop: as long as it fails it tries again, each second at most, and is deaf", async () => {
  const s = setup();
  s.loop.open();
  for (let second = 0; second < 60; second++) {
    s.listeners[0]?.give(tooManyFiles());
    await s.clock.advance(1000);
    assert.equal(s.loop.deaf, true);
  }
  assert.equal(s.log.lines.length, 1);
  s.loop.close();
});

test("accept loop: a listener that fails otherwise is replaced, as soon as that can be had", async () => {
  let refused = 0;
  let calls = 0;
  const s = setup(() => {
    if (++calls > 1 && calls < 5) {
      refused++;
      throw new Deno.errors.AddrInUse("address in use");
    }
    return new Listener();
  });
  s.loop.open();
  s.listeners[0]?.give(new Error("the interface is gone"));
  await s.clock.advance(0);
  assert.equal(s.loop.deaf, true);
  assert.equal(s.listeners[0]?.closed, true);
  await s.clock.advance(5000);
  assert.equal(refused, 3);
  assert.equal(s.listeners.length, 2);
  s.listeners[1]?.give(new Connection());
  await s.clock.advance(3000);
  assert.equal(s.taken.length, 1);
  assert.equal(s.loop.deaf, false);
  s.loop.close();
});

test("accept loop: a client that was gone before it was accepted is no failure", async () => {
  const s = setup();
  s.loop.open();
  const gone = new Deno.errors.ConnectionAborted("aborted");
  s.listeners[0]?.give(gone, gone, new Connection());
  await s.clock.advance(10);
  assert.equal(s.taken.length, 1);
  assert.equal(s.loop.deaf, false);
  assert.equal(s.log.lines.length, 0);
  s.loop.close();
});

test("accept loop: what cannot be listened on at first is the caller's to know", () => {
  const s = setup(() => {
    throw new Deno.errors.AddrInUse("address in use");
  });
  assert.throws(() => s.loop.open(), Deno.errors.AddrInUse);
});

test("accept loop: closed it takes nothing any more, and says nothing", async () => {
  const s = setup();
  s.loop.open();
  s.loop.close();
  s.listeners[0]?.give(new Connection());
  await s.clock.advance(5000);
  assert.equal(s.taken.length, 0);
  assert.equal(s.loop.deaf, false);
  assert.equal(s.log.lines.length, 0);
});
