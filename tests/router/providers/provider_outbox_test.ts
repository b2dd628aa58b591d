import assert from "node:assert/strict";
import { dhtKey } from "../../../lib/router/dht/dht_key.ts";
import {
  decodeMessage,
  type DhtMessage,
  MESSAGE_TYPE,
} from "../../../lib/router/dht/dht_message.ts";
import { FrameDecoder } from "../../../lib/router/dht/dht_stream.ts";
import {
  ProviderOutbox,
  type ProviderOutboxCollaborators,
} from "../../../lib/router/providers/provider_outbox.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";
import { peerIds } from "../ids.ts";

const KEYS = Array.from({ length: 600 }, (_, i) => dhtKey(`key ${i}`));
const PONG: DhtMessage = {
  type: MESSAGE_TYPE.ping,
  key: new Uint8Array(),
  closer: [],
  providers: [],
};

function makeOutbox(
  ask: ProviderOutboxCollaborators["client"]["ask"],
  provides: (id: string) => boolean = () => true,
) {
  const clock = new FakeClock();
  const outbox = new ProviderOutbox({
    client: { ask, stop() {} },
    self: () => new Uint8Array(2),
    provides,
    budget: { run: (work) => Promise.resolve(work()) },
    clock,
    log: new MemoryLog(),
  });
  return { outbox, clock };
}

/** Keys of the records in what is sent. */
function keysIn(messages: Uint8Array): string[] {
  return [...new FrameDecoder().push(messages)].map(decodeMessage)
    .filter(({ type }) => type === MESSAGE_TYPE.addProvider)
    .map(({ key }) =>
      KEYS.find(({ multihash }) => multihash.every((b, i) => b === key[i]))?.id ?? ""
    );
}

test("all keys go out in batches, each acknowledged before the next; withdrawn ones do not", async () => {
  const [peer] = await peerIds(1);
  const batches: string[][] = [];
  let waiting = 0;
  const withdrawn = KEYS[300]?.id;
  const { outbox } = makeOutbox(async (_, messages) => {
    assert.equal(++waiting, 1);
    batches.push(keysIn(messages));
    await Promise.resolve();
    waiting--;
    return PONG;
  }, (id) => id !== withdrawn);
  await outbox.send(peer ?? assert.fail(), KEYS);
  assert.deepEqual(batches.map(({ length }) => length), [256, 255, 88]);
  assert.deepEqual(batches.flat(), KEYS.map(({ id }) => id).filter((id) => id !== withdrawn));
});

test("after an interruption it goes on with what was not acknowledged", async () => {
  const [peer] = await peerIds(1);
  const sent: string[] = [];
  let asked = 0;
  const { outbox, clock } = makeOutbox((_, messages) => {
    if (++asked === 2) return Promise.reject(new Error("reset"));
    sent.push(...keysIn(messages));
    return Promise.resolve(PONG);
  });
  const done = outbox.send(peer ?? assert.fail(), KEYS);
  await clock.advance(1000);
  await done;
  assert.equal(asked, 4);
  assert.deepEqual(sent, KEYS.map(({ id }) => id));
});

test("a peer that cannot be reached is given up after three attempts", async () => {
  const [peer] = await peerIds(1);
  let attempts = 0;
  const { outbox, clock } = makeOutbox(() => {
    attempts++;
    return Promise.reject(new Error("connection refused"));
  });
  const sent = outbox.send(peer ?? assert.fail(), KEYS);
  await clock.advance(5000);
  await sent;
  assert.equal(attempts, 3);
  assert.equal(clock.sleeping, 0);
});

test("no more than sixteen peers are sent to at once", async () => {
  const peers = await peerIds(40);
  let open = 0;
  let most = 0;
  const { outbox } = makeOutbox(async () => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setTimeout(resolve, 1));
    open--;
    return PONG;
  });
  await Promise.all(peers.map((peer) => outbox.send(peer, KEYS.slice(0, 2))));
  assert.equal(most, 16);
});

test("stop ends what is under way and what waits, and takes no more", async () => {
  const peers = await peerIds(20);
  const { outbox } = makeOutbox((_, _messages, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    })
  );
  const sent = Promise.all(peers.map((peer) => outbox.send(peer, KEYS)));
  outbox.stop();
  await sent;
  await outbox.send(peers[0] ?? assert.fail(), KEYS);
});
