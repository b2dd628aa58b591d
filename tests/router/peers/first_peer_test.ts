import assert from "node:assert/strict";
import { FirstPeer } from "../../../lib/router/peers/first_peer.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";

/** Begins to wait, and notes how each of `wait()` ends. */
function begin() {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const firstPeer = new FirstPeer({ clock, log });
  const router = new AbortController();
  const ran = firstPeer.run(router);
  const ends: string[] = [];
  const wait = (signal = new AbortController().signal) => {
    firstPeer.wait({ signal }).then(() => ends.push("over"), ({ message }) => ends.push(message));
  };
  return { clock, log, firstPeer, router, ran, ends, wait };
}

test("requests wait until the first peer is known, and none after that", async () => {
  const { clock, log, firstPeer, ran, ends, wait } = begin();
  wait();
  wait();
  await clock.advance(900);
  assert.deepEqual([firstPeer.awaited, ends], [true, []]);
  firstPeer.end();
  wait();
  await clock.advance(0);
  assert.deepEqual([firstPeer.awaited, ends], [false, ["over", "over", "over"]]);
  await clock.advance(60_000);
  await ran;
  assert.deepEqual(log.lines, []);
});

test("without any sign of a peer they go on after two seconds, and it is logged once", async () => {
  const { clock, log, firstPeer, ran, ends, wait } = begin();
  wait();
  await clock.advance(1500);
  wait();
  await clock.advance(499);
  assert.deepEqual(ends, []);
  await clock.advance(1);
  assert.deepEqual([firstPeer.awaited, ends], [false, ["over", "over"]]);
  await ran;
  assert.deepEqual(
    log.lines.map(({ level, message }) => [level, message]),
    [["info", "no peer is known yet, requests no longer wait for the first"]],
  );
});

test("a request whose client left ends, the others go on waiting", async () => {
  const { clock, router, ran, ends, wait } = begin();
  const client = new AbortController();
  wait(client.signal);
  wait();
  client.abort(new Error("the client left"));
  await clock.advance(0);
  assert.deepEqual(ends, ["the client left"]);
  router.abort();
  await ran;
  await clock.advance(0);
});

test("nothing is waited for where the router leaves, or before it starts", async () => {
  const { clock, log, router, ran, ends, wait } = begin();
  wait();
  router.abort(new Error("the router leaves"));
  await ran;
  await clock.advance(0);
  assert.deepEqual([ends, log.lines], [["over"], []]);
  const idle = new FirstPeer({ clock, log });
  assert.equal(idle.awaited, false);
  await idle.wait({ signal: new AbortController().signal });
});
