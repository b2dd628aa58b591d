import assert from "node:assert/strict";
import type { BootstrapPeer } from "../../../lib/router/bootstrap/bootstrapper.ts";
import { TrustedAddresses } from "../../../lib/router/bootstrap/trusted_addresses.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";

const MINUTE = 60_000;
const never = { signal: new AbortController().signal };

/** A source that names what the test says, or fails, and counts how often it is asked. */
function setup() {
  const clock = new FakeClock();
  const source = {
    asked: 0,
    named: [] as string[],
    answer: (): Promise<BootstrapPeer[]> =>
      Promise.resolve(source.named.map((ip) => ({ addresses: [{ ip }] }))),
  };
  const nodes = new TrustedAddresses({
    bootstrapper: {
      get() {
        source.asked++;
        return source.answer();
      },
    },
    clock,
    log: new MemoryLog(),
  });
  return { clock, source, nodes };
}

const SAME: readonly (readonly [named: string, asked: string, same: boolean])[] = [
  ["10.0.0.1", "10.0.0.1", true],
  ["10.0.0.1", "10.0.0.2", false],
  ["10.0.0.1", "10.0.0.11", false],
  ["10.0.0.1", "::ffff:10.0.0.1", true],
  ["::ffff:a00:1", "10.0.0.1", true],
  ["0:0:0:0:0:FFFF:10.0.0.1", "10.0.0.1", true],
  ["::ffff:255.255.255.255", "255.255.255.255", true],
  ["::10.0.0.1", "10.0.0.1", false],
  ["2001:DB8:0:0::1", "2001:db8::1", true],
  ["2001:db8::1", "2001:db8::2", false],
  ["fd00::1%eth0", "fd00::1", true],
  ["10.0.0.1", "", false],
  ["10.0.0.1", "node-1", false],
];

for (const [named, asked, same] of SAME) {
  test(`named ${named}: ${asked || "nothing"} is ${same ? "" : "not "}the same`, async () => {
    const { source, nodes } = setup();
    source.named = [named];
    assert.equal(nodes.isTrusted(asked), false, "nobody has been named yet");
    await nodes.get(never);
    assert.equal(nodes.isTrusted(asked), same);
  });
}

test("named: all addresses of a peer, whatever its port, but nobody of whom others only say so", async () => {
  const { source, nodes } = setup();
  source.answer = () =>
    Promise.resolve([
      { id: "a", addresses: [{ ip: "10.0.0.1", port: 5001 }, { ip: "fd00::1" }] },
      { addresses: [{ ip: "10.0.0.9" }], unverified: true },
    ]);
  assert.equal((await nodes.get(never)).length, 2, "who is heard of is met all the same");
  assert.deepEqual(["10.0.0.1", "fd00::1", "10.0.0.9"].map((ip) => nodes.isTrusted(ip)), [
    ...[true, true, false],
  ]);
});

test("named: who is not named any more counts for five minutes", async () => {
  const { clock, source, nodes } = setup();
  source.named = ["10.0.0.1", "10.0.0.2"];
  await nodes.get(never);
  await clock.advance(60 * MINUTE);
  source.named = ["10.0.0.2"];
  await nodes.get(never);
  assert.ok(nodes.isTrusted("10.0.0.1"));
  await clock.advance(4 * MINUTE);
  await nodes.get(never);
  assert.ok(nodes.isTrusted("10.0.0.1"), "the time is not counted anew");
  await clock.advance(MINUTE);
  assert.equal(nodes.isTrusted("10.0.0.1"), false, "nobody has to ask for that");
  assert.ok(nodes.isTrusted("10.0.0.2"));
  source.named = ["10.0.0.1"];
  await nodes.get(never);
  assert.ok(nodes.isTrusted("10.0.0.1"), "named again");
});

test("named: a source that fails changes nothing, however long", async () => {
  const { clock, source, nodes } = setup();
  source.named = ["10.0.0.1"];
  await nodes.get(never);
  source.answer = () => Promise.reject(new Error("no such host"));
  for (let hour = 0; hour < 24; hour++) {
    await clock.advance(60 * MINUTE);
    await assert.rejects(nodes.get(never), { message: "no such host" });
    await nodes.refresh(never);
  }
  assert.ok(nodes.isTrusted("10.0.0.1"));
});

test("named: of more addresses than any cluster has, the last answer's are remembered", async () => {
  const { source, nodes } = setup();
  const many = (net: number) =>
    Array.from({ length: 20_000 }, (_, i) => `10.${net}.${i >> 8}.${i & 255}`);
  source.named = many(1);
  await nodes.get(never);
  assert.ok(nodes.isTrusted("10.1.63.255"));
  assert.equal(nodes.isTrusted("10.1.64.0"), false, "the 16,385th");
  source.named = many(2);
  await nodes.get(never);
  assert.ok(nodes.isTrusted("10.2.63.255"));
  assert.equal(nodes.isTrusted("10.1.0.0"), false);
});

test("named: the source is asked again at once, then more and more rarely while it is in vain", async () => {
  const { clock, source, nodes } = setup();
  await nodes.get(never);
  source.asked = 0;
  await Promise.all([nodes.refresh(never), nodes.refresh(never)]);
  assert.equal(source.asked, 1, "both wait for one question");
  const times: number[] = [];
  for (let step = 0; step < 90; step++) {
    const before = source.asked;
    await nodes.refresh(never);
    if (source.asked > before) times.push(clock.now() / 1000);
    await clock.advance(20_000);
  }
  assert.deepEqual(times, [20, 60, 140, 300, 600, 900, 1200, 1500]);
  source.named = ["10.0.0.1"];
  await nodes.refresh(never);
  await nodes.get(never);
  assert.ok(nodes.isTrusted("10.0.0.1"));
  source.asked = 0;
  await clock.advance(10_000);
  await nodes.refresh(never);
  assert.equal(source.asked, 1, "it was not in vain: soon again");
});

test("named: the pull is not kept by a source that is silent, nor does the stop wait for it", async () => {
  const { source, nodes } = setup();
  source.answer = () => new Promise(() => {});
  const impatient = new AbortController();
  const looking = nodes.refresh(impatient);
  impatient.abort();
  await looking;
  const waiting = nodes.refresh(never);
  await nodes.stop();
  await waiting;
  assert.equal(source.asked, 1);
});
