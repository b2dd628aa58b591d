import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  decodeMessage,
  encodeAnswer,
  encodeQuery,
} from "../../lib/router/bootstrap/mdns/mdns_message.ts";
import { createMdnsBootstrapper } from "../../lib/router/bootstrap/mdns/mdns_bootstrapper.ts";
import {
  type MulticastLink,
  openMulticastLink,
} from "../../lib/router/bootstrap/mdns/multicast_link.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import { peerIds } from "./ids.ts";

const [A = "", B = ""] = (await peerIds(2)).map(String);
const ETH0 = {
  name: "eth0",
  family: "IPv4",
  address: "192.168.1.5",
  cidr: "192.168.1.5/24",
} as const;

/** A link in memory: everybody hears everybody, themselves included. */
class Wire {
  readonly #queues = new Set<(message: Uint8Array) => void>();
  readonly sent: Uint8Array[] = [];

  open = (): Promise<MulticastLink> => {
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({ start: (made) => void (controller = made) });
    const hear = (message: Uint8Array) => controller.enqueue(message);
    this.#queues.add(hear);
    return Promise.resolve({
      send: (message) => {
        this.say(message);
        return Promise.resolve();
      },
      receive: () => stream,
      close: () => {
        this.#queues.delete(hear);
        controller.close();
      },
    });
  };

  say(message: Uint8Array): void {
    this.sent.push(message);
    for (const hear of this.#queues) hear(message);
  }
}

function makeNode(wire: Wire, clock: FakeClock, interfaces: readonly string[] = []) {
  const log = new MemoryLog();
  const node = createMdnsBootstrapper(
    { clock, log, open: wire.open, list: () => [ETH0] },
    { interfaces },
  );
  return { node, log };
}

async function get(node: ReturnType<typeof createMdnsBootstrapper>, clock: FakeClock) {
  const found = node.get(new AbortController());
  for (let i = 0; i < 10; i++) await clock.advance(100);
  return await found;
}

test("mdns: nodes on one link find each other, not themselves", async () => {
  const [wire, clock] = [new Wire(), new FakeClock()];
  const [a, b] = [makeNode(wire, clock).node, makeNode(wire, clock).node];
  await a.start?.({ id: A, addresses: () => ["/ip4/192.168.1.5/tcp/5001"] });
  await b.start?.({ id: B, addresses: () => ["/ip4/192.168.1.6/tcp/5001", "/ip6/::2/tcp/1"] });
  assert.deepEqual(await get(a, clock), [{
    id: B,
    addresses: [{ ip: "192.168.1.6", port: 5001 }, { ip: "::2", port: 1 }],
    unverified: true,
  }]);
  assert.deepEqual(await get(b, clock), [{
    id: A,
    addresses: [{ ip: "192.168.1.5", port: 5001 }],
    unverified: true,
  }]);
  await a.stop?.();
  await b.stop?.();
});

test("mdns: questions and answers are bounded to one a second, whatever is asked", async () => {
  const [wire, clock] = [new Wire(), new FakeClock()];
  const { node } = makeNode(wire, clock);
  await node.start?.({ id: A, addresses: () => ["/ip4/192.168.1.5/tcp/5001"] });
  for (let i = 0; i < 100; i++) {
    wire.say(encodeQuery());
    await clock.advance(10);
  }
  const answers = wire.sent.filter((message) => decodeMessage(message)?.type === "answer");
  assert.equal(answers.length, 1);
  const before = wire.sent.length;
  await Promise.all([get(node, clock), node.get(new AbortController())]);
  const asked = wire.sent.slice(before).filter((message) => {
    return decodeMessage(message)?.type === "query";
  });
  assert.equal(asked.length, 1);
  await node.stop?.();
});

test("mdns: of a flood of strangers only the last are remembered", async () => {
  const [wire, clock] = [new Wire(), new FakeClock()];
  const { node } = makeNode(wire, clock);
  await node.start?.({ id: A, addresses: () => [] });
  const ids = (await peerIds(302)).map(String).slice(2);
  for (const id of ids) wire.say(encodeAnswer({ id, addresses: ["/ip4/192.168.1.6/tcp/1"] }));
  const found = await get(node, clock);
  assert.deepEqual(found.map(({ id }) => id), ids.slice(-256));
  await node.stop?.();
});

test("mdns: who was not heard for two minutes is forgotten", async () => {
  const [wire, clock] = [new Wire(), new FakeClock()];
  const { node } = makeNode(wire, clock);
  await node.start?.({ id: A, addresses: () => [] });
  wire.say(encodeAnswer({ id: B, addresses: ["/ip4/192.168.1.6/tcp/5001"] }));
  assert.equal((await get(node, clock)).length, 1);
  await clock.advance(120_000);
  assert.deepEqual(await get(node, clock), []);
  await node.stop?.();
});

test("mdns: without an interface it says so, and takes one that comes later", async () => {
  const [wire, clock] = [new Wire(), new FakeClock()];
  const list: typeof ETH0[] = [];
  const log = new MemoryLog();
  const node = createMdnsBootstrapper(
    { clock, log, open: wire.open, list: () => list },
    { interfaces: ["eth0"] },
  );
  await node.start?.({ id: A, addresses: () => [] });
  await assert.rejects(node.get(new AbortController()), /none of the interfaces eth0/);
  list.push(ETH0);
  assert.deepEqual(await get(node, clock), []);
  await node.stop?.();
});

test("mdns: an answer survives the wire; other datagrams are nothing", () => {
  const contact = { id: A, addresses: ["/ip4/10.0.0.1/tcp/5001"] };
  assert.deepEqual(decodeMessage(encodeAnswer(contact)), {
    type: "answer",
    peer: { id: A, addresses: [{ ip: "10.0.0.1", port: 5001 }] },
    ttlMs: 120_000,
  });
  assert.deepEqual(decodeMessage(encodeQuery()), { type: "query" });
  const bad = [
    { id: A, addresses: [] },
    { id: "nobody", addresses: ["/ip4/10.0.0.1/tcp/5001"] },
    { id: A, addresses: ["/dns4/evil.test/tcp/5001"] },
    { id: A, addresses: ["/ip4/10.0.0.1/udp/5001/quic-v1"] },
  ];
  for (const one of bad) assert.equal(decodeMessage(encodeAnswer(one)), undefined);
  assert.equal(decodeMessage(new Uint8Array(9001)), undefined);
});

test("mdns: any bytes are read without an error", () => {
  const base = encodeAnswer({ id: A, addresses: ["/ip4/10.0.0.1/tcp/5001"] });
  const broken = fc.tuple(fc.nat(base.length - 1), fc.uint8Array({ maxLength: 20 }));
  fc.assert(fc.property(broken, fc.uint8Array({ maxLength: 600 }), ([at, patch], noise) => {
    decodeMessage(noise);
    const message = base.slice();
    message.set(patch.slice(0, message.length - at), at);
    decodeMessage(message);
  }));
});

test("mdns: a real link carries datagrams to others on this machine", async () => {
  const lo = { name: "lo", family: "IPv4", address: "127.0.0.1", cidr: "127.0.0.1/8" } as const;
  const log = new MemoryLog();
  const list = () => [lo];
  const collaborators = { clock: systemClock, log, open: openMulticastLink, list };
  const options = { interfaces: ["lo"] };
  const a = createMdnsBootstrapper(collaborators, options);
  const b = createMdnsBootstrapper(collaborators, options);
  try {
    await a.start?.({ id: A, addresses: () => ["/ip4/127.0.0.1/tcp/1"] });
    await b.start?.({ id: B, addresses: () => ["/ip4/127.0.0.1/tcp/2"] });
    const found = await a.get(new AbortController());
    const addresses = [{ ip: "127.0.0.1", port: 2 }];
    assert.deepEqual(found, [{ id: B, addresses, unverified: true }]);
    assert.deepEqual(log.lines.filter(({ level }) => level === "warn"), []);
  } finally {
    await a.stop?.();
    await b.stop?.();
  }
});
