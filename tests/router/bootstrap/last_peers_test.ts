import assert from "node:assert/strict";
import { type KnownPeers, LastPeers } from "../../../lib/router/bootstrap/last_peers.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { inDirectory } from "../../support/temp_directory.ts";
import { test } from "../../support/test.ts";

const SOURCE = "dns eddy.test";
const NOBODY: KnownPeers = { peers: [], own: [] };

/** The addresses of a node, the nth that it has had. */
function at(node: number, nth = 0) {
  return [{ ip: `10.0.${nth}.${node}`, port: 5001 }];
}

function peer(node: number, nth = 0) {
  return { id: `peer${node}`, addresses: at(node, nth) };
}

async function load(dataDir: string | undefined, source: string | undefined = SOURCE) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  return { last: await LastPeers.load({ clock, log }, { dataDir, source }), clock, log };
}

/** A run of a node that knows these peers and stops at once. */
async function run(dataDir: string, known: KnownPeers): Promise<void> {
  const { last } = await load(dataDir);
  const stop = new AbortController();
  const kept = last.keep(() => known, stop);
  stop.abort();
  await kept;
}

test("last peers survive a restart, with the latest addresses; those that are gone come last", async () => {
  await inDirectory(async (directory) => {
    await run(directory, { peers: [peer(1), peer(2), peer(3)], own: at(9) });
    await run(directory, { peers: [peer(4), peer(3, 1)], own: at(9, 1) });
    const { last } = await load(directory);
    assert.deepEqual(last.peers, [peer(3, 1), peer(4), peer(1), peer(2)]);
    assert(last.wasOwn(at(9)) && last.wasOwn(at(9, 1)));
    assert(!last.wasOwn(at(1)) && !last.wasOwn([...at(9), ...at(1)]));
    assert(!last.wasOwn([{ ip: "10.0.0.9", port: 5002 }]));
  });
});

test("last peers are written when they have changed, every few seconds at most", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/peers.json`;
    const { last, clock } = await load(directory);
    const stop = new AbortController();
    let known = NOBODY;
    const kept = last.keep(() => known, stop);
    known = { peers: [peer(1)], own: at(9) };
    await clock.advance(4999);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
    await advanceUntil(clock, async () => (await Deno.readTextFile(path)).includes("peer1"));
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    await Deno.remove(path);
    known = { peers: [peer(1)], own: at(9) };
    await clock.advance(60_000);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound, "nothing has changed");
    known = { peers: [peer(1, 1)], own: at(9) };
    await advanceUntil(clock, async () => (await Deno.readTextFile(path)).includes("10.0.1.1"));
    stop.abort();
    await kept;
    assert.equal(clock.sleeping, 0);
  });
});

test("peers that come and go for ever: the file is written every ten minutes, and at the stop", async () => {
  await inDirectory(async (directory) => {
    const hours = 3;
    const stop = new AbortController();
    let now = 0;
    const sleep = (ms: number) => Promise.resolve(void (now += ms));
    const clock = { now: () => now, sleep };
    const options = { dataDir: directory, source: SOURCE };
    const last = await LastPeers.load({ clock, log: new MemoryLog() }, options);
    const texts = new Set<string>();
    let round = 0;
    await last.keep(() => {
      if (round > 0) texts.add(Deno.readTextFileSync(`${directory}/peers.json`));
      if (now >= hours * 3_600_000) stop.abort();
      return { peers: [peer(1, ++round)], own: at(9) };
    }, stop);
    assert(texts.size >= 6 * hours && texts.size <= 6 * hours + 12, `${texts.size}`);
    assert((await Deno.readTextFile(`${directory}/peers.json`)).includes(`10.0.${round}.1`));
  });
});

test("forgotten peers do not return, others do", async () => {
  await inDirectory(async (directory) => {
    await run(directory, { peers: [peer(1), peer(2)], own: at(9) });
    const { last } = await load(directory);
    last.forget();
    assert.deepEqual(last.peers, []);
    assert(last.wasOwn(at(9)));
    const stop = new AbortController();
    const kept = last.keep(() => ({ peers: [peer(2), peer(3)], own: at(9) }), stop);
    stop.abort();
    await kept;
    assert.deepEqual((await load(directory)).last.peers, [peer(2), peer(3)]);
  });
});

/** Writing takes real time, of which the clock knows nothing. */
async function advanceUntil(clock: FakeClock, condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    await clock.advance(5000);
    if (await condition().catch(() => false)) return;
  }
  assert.fail(`not so: ${condition}`);
}

test("last peers are few, each with few addresses", async () => {
  await inDirectory(async (directory) => {
    const addresses = Array.from({ length: 20 }, (_, nth) => at(1, nth)).flat();
    const peers = Array.from({ length: 100 }, (_, i) => ({ id: `peer${i}`, addresses }));
    await run(directory, { peers, own: addresses });
    const { last } = await load(directory);
    assert.equal(last.peers.length, 32);
    assert.equal(last.peers[0]?.addresses.length, 8);
    assert(last.wasOwn(at(1, 7)) && !last.wasOwn(at(1, 8)));
  });
});

test("peers of another bootstrap source are forgotten", async () => {
  await inDirectory(async (directory) => {
    await run(directory, { peers: [peer(1)], own: at(9) });
    const { last, log } = await load(directory, "dns other.test");
    assert.deepEqual(last.peers, []);
    assert(!last.wasOwn(at(9)));
    assert.deepEqual(log.lines, []);
  });
});

test("without a data directory or a bootstrap source nothing is kept", async () => {
  await inDirectory(async (directory) => {
    for (const [dataDir, source] of [[undefined, SOURCE], ["", SOURCE], [directory]] as const) {
      const clock = new FakeClock();
      const log = new MemoryLog();
      const last = await LastPeers.load({ clock, log }, { dataDir, source });
      await last.keep(() => ({ peers: [peer(1)], own: at(9) }), new AbortController());
      assert.deepEqual(last.peers, []);
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(directory)), []);
  });
});

const BROKEN: readonly (readonly [name: string, text: string])[] = [
  ["half a file", `{"source":"${SOURCE}","own":[`],
  ["another shape", `{"source":"${SOURCE}","own":[],"peers":{}}`],
  ["no list of addresses", `{"source":"${SOURCE}","own":[],"peers":[{"ID":"peer1"}]}`],
  ["a bad address of its own", `{"source":"${SOURCE}","own":[1],"peers":[]}`],
  ["a huge file", `{"source":"${SOURCE}","own":[],"peers":[],"more":"${"x".repeat(200_000)}"}`],
];

for (const [name, text] of BROKEN) {
  test(`a file of last peers that is broken counts as empty: ${name}`, async () => {
    await inDirectory(async (directory) => {
      await Deno.writeTextFile(`${directory}/peers.json`, text);
      const { last, log } = await load(directory);
      assert.deepEqual(last.peers, []);
      assert.deepEqual(log.lines.map(({ message }) => message), [
        "the last known peers could not be read",
      ]);
      await run(directory, { peers: [peer(1)], own: at(9) });
      assert.deepEqual((await load(directory)).last.peers, [peer(1)], "it is written anew");
    });
  });
}

test("of a file of last peers, what is no peer's address is left out", async () => {
  await inDirectory(async (directory) => {
    const peers = [
      { ID: "peer1", Addrs: ["/ip4/10.0.0.1/tcp/5001", "/ip4/10.0.0.1", "/dns4/a.test/tcp/5001"] },
      { ID: "peer2", Addrs: ["/ip4/10.0.0.2/udp/5001/quic-v1"] },
      { ID: "", Addrs: ["/ip4/10.0.0.3/tcp/5001"] },
    ];
    await Deno.writeTextFile(
      `${directory}/peers.json`,
      JSON.stringify({ source: SOURCE, own: ["/ip4/10.0.0.9/tcp/5001"], peers }),
    );
    const { last } = await load(directory);
    assert.deepEqual(last.peers, [peer(1)]);
    assert(last.wasOwn(at(9)));
  });
});

test("last peers that cannot be written are logged", async () => {
  await inDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/file`, "");
    const { last, log } = await load(`${directory}/file/below`);
    const stop = new AbortController();
    const kept = last.keep(() => ({ peers: [peer(1)], own: [] }), stop);
    stop.abort();
    await kept;
    assert.equal(log.lines.at(-1)?.message, "the last known peers could not be written");
  });
});
