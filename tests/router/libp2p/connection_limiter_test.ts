import assert from "node:assert/strict";
import type { Connection, PeerId } from "@libp2p/interface";
import { ConnectionLimiter } from "../../../lib/router/libp2p/connection_limiter.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";
import { peerIds } from "../ids.ts";

/** Ten connections, of which three may be kept. The first is a neighbour's; later ones were asked later. */
async function makeLimiter() {
  const clock = new FakeClock();
  const peers = await peerIds(10);
  const closed: PeerId[] = [];
  const open = peers.map((remotePeer) => ({
    remotePeer,
    status: "open",
    close() {
      this.status = "closed";
      closed.push(remotePeer);
      return Promise.resolve();
    },
  }));
  const limiter = new ConnectionLimiter({
    connections: () => open as unknown as Connection[],
    isNeeded: (peer) => peer === peers[0],
    lastAsked: (peer) => peer === peers[1] ? undefined : peers.indexOf(peer),
    clock,
    log: new MemoryLog(),
  }, { maxConnections: 3 });
  return { limiter, clock, closed, peers };
}

test("of too many connections the least recently used are closed, a neighbour's never", async () => {
  const { limiter, clock, closed, peers } = await makeLimiter();
  const stop = new AbortController();
  await limiter.prune(stop);
  assert.deepEqual(closed, [], "young ones have a purpose");
  await clock.advance(20_000);
  await limiter.prune(stop);
  assert.deepEqual(closed, peers.slice(1, 8));
  await limiter.prune(stop);
  assert.equal(closed.length, 7);
});
