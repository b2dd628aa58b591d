import assert from "node:assert/strict";
import { dhtKey } from "../../lib/router/dht_key.ts";
import {
  ProviderOutbox,
  type ProviderOutboxCollaborators,
} from "../../lib/router/provider_outbox.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import { peerIds } from "./ids.ts";

const KEYS = [dhtKey("a"), dhtKey("b")];

function makeOutbox(openStream: ProviderOutboxCollaborators["openStream"]) {
  const clock = new FakeClock();
  const outbox = new ProviderOutbox({
    openStream,
    self: () => ({ id: new Uint8Array(2), addresses: [] }),
    provides: () => true,
    clock,
    log: new MemoryLog(),
  });
  return { outbox, clock };
}

test("a peer that cannot be reached is given up after three attempts", async () => {
  const [peer] = await peerIds(1);
  assert(peer);
  let attempts = 0;
  const { outbox, clock } = makeOutbox(() => {
    attempts++;
    return Promise.reject(new Error("connection refused"));
  });
  const sent = outbox.send(peer, KEYS);
  await clock.advance(5000);
  await sent;
  assert.equal(attempts, 3);
  assert.equal(clock.sleeping, 0);
});

test("no more than sixteen peers are sent to at once", async () => {
  const peers = await peerIds(40);
  let open = 0;
  let most = 0;
  const { outbox, clock } = makeOutbox(async () => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setTimeout(resolve, 1));
    open--;
    throw new Error("connection refused");
  });
  const sent = Promise.all(peers.map((peer) => outbox.send(peer, KEYS)));
  let done = false;
  sent.then(() => done = true);
  while (!done) await clock.advance(1000);
  assert.equal(most, 16);
});

test("stop ends what is under way and what waits, and takes no more", async () => {
  const peers = await peerIds(20);
  const { outbox } = makeOutbox((_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    })
  );
  const sent = Promise.all(peers.map((peer) => outbox.send(peer, KEYS)));
  outbox.stop();
  await sent;
  await outbox.send(peers[0] ?? assert.fail(), KEYS);
});
