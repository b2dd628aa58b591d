import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import { OciError } from "../../lib/oci/error.ts";
import type { Elections } from "../../lib/ports/rollout.ts";
import { test } from "../support/test.ts";
import { FaultPeer, type Faults } from "./fault_peer.ts";
import { blob, bytesOf, noise, PATIENT, Rig, STREAMED } from "./rig.ts";

const LARGE = noise(3 * 1024 * 1024);
const SMALL = noise(10_000);

test("a blob comes whole, with what is known of it, from a peer asked as a peer", async () => {
  await using rig = new Rig(PATIENT);
  const peer = rig.add(LARGE);
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  assert.deepEqual(await bytesOf(answer), LARGE);
  assert(answer.found);
  assert.deepEqual(answer.descriptor, {
    digest: digestOf(LARGE),
    size: LARGE.length,
    mediaType: "application/octet-stream",
  });
  assert.equal(answer.peer, "peer-0");
  const [request] = peer.asked;
  assert.equal(request?.path, `/v2/library/app/blobs/${digestOf(LARGE)}?ns=docker.io`);
  assert.equal(request?.headers.get("x-spegel-mirrored"), "true");
  assert.equal(request?.headers.get("accept-encoding"), "identity");
  const fetched = rig.metrics.calls.filter(([name]) => name === "bytesFetched");
  assert.equal(fetched.reduce((sum, [, bytes]) => sum + Number(bytes), 0), LARGE.length);
});

test("the empty blob is content like any other", async () => {
  await using rig = new Rig();
  const empty = new Uint8Array(0);
  rig.add(empty);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(empty)))), empty);
});

test("HEAD says what a peer has, without a body", async () => {
  await using rig = new Rig();
  const peer = rig.add(LARGE);
  const answer = await rig.fetch({ ...blob(digestOf(LARGE)), method: "HEAD" });
  assert(answer.found);
  assert.equal(answer.body, null);
  assert.equal(answer.descriptor.size, LARGE.length);
  assert.equal(peer.sent, 0);
});

/** Faults of a first peer that must cost nothing but the way to a second one. */
const REFUSALS: Record<string, Faults> = {
  "404": { status: 404 },
  "500": { status: 500 },
  "a redirect": { status: 307, headers: { location: "http://127.0.0.1:1/elsewhere" } },
  "an encoded body": { headers: { "content-encoding": "gzip" } },
  "another digest": { headers: { "docker-content-digest": digestOf(noise(3)) } },
  "no length": { headers: { "content-length": "", "transfer-encoding": "chunked" } },
  "silence": { silent: true },
  "slow headers": { headerDelayMs: 300 },
};

for (const [name, faults] of Object.entries(REFUSALS)) {
  test(`after ${name} the next peer is asked`, async () => {
    await using rig = new Rig();
    rig.add(SMALL, faults);
    rig.add(SMALL);
    const answer = await rig.fetch(blob(digestOf(SMALL)));
    assert.deepEqual(await bytesOf(answer), SMALL);
    assert(answer.found);
    assert.equal(answer.peer, "peer-1");
  });
}

test("a peer that is gone is passed over, and one without addresses too", async () => {
  await using rig = new Rig();
  const gone = rig.add(SMALL);
  await gone[Symbol.asyncDispose]();
  rig.router.provide(digestOf(SMALL), { id: "nowhere", addresses: ["host.test"], registryPort: 1 });
  rig.add(SMALL);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(SMALL)))), SMALL);
});

test("the address of a peer that works is found and remembered", async () => {
  await using rig = new Rig();
  const addresses = ["127.0.0.7", "127.0.0.8"];
  await using peer = new FaultPeer("two", new Map([[digestOf(SMALL), SMALL]]), {}, addresses);
  rig.router.provide(digestOf(SMALL), peer.peer);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(SMALL)))), SMALL);
  assert.equal(rig.mirror.health()[0]?.address, "127.0.0.8");
});

test("no more peers are asked than the options allow", async () => {
  await using rig = new Rig({ ...PATIENT, resolveRetries: 2 });
  for (let count = 0; count < 4; count++) rig.add(SMALL, { status: 404 });
  const answer = await rig.fetch(blob(digestOf(SMALL)));
  assert.deepEqual(answer, { found: false, reason: "peers-refused", attempts: 2 });
});

test("nobody known: a miss at once", async () => {
  await using rig = new Rig();
  assert.deepEqual(await rig.fetch(blob(digestOf(SMALL))), {
    found: false,
    reason: "no-peer",
    attempts: 0,
  });
});

const FAILOVERS: Record<string, { faults: Faults; reason: string }> = {
  "dies": { faults: { dieAt: 1_500_001 }, reason: "died" },
  "stalls": { faults: { stallAt: 1_500_001 }, reason: "stalled" },
  "trickles": { faults: { trickleAt: 1_500_001, trickleBytes: 100 }, reason: "slow" },
  "sends a byte now and then": { faults: { trickleAt: 1_500_001 }, reason: "stalled" },
  "stalls before the first byte": { faults: { stallAt: 0 }, reason: "stalled" },
};

for (const [name, { faults, reason }] of Object.entries(FAILOVERS)) {
  test(`a peer that ${name} costs one resume`, async () => {
    await using rig = new Rig({ ...STREAMED, ...PATIENT });
    rig.add(LARGE, faults);
    const second = rig.add(LARGE);
    assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
    assert.deepEqual(rig.switches, [reason]);
    const range = second.asked.at(-1)?.headers.get("range") ?? null;
    assert.equal(range === null, name.includes("before the first"));
    assert(rig.log.lines.some(({ level, fields }) => level === "info" && fields.reason === reason));
  });
}

test("a body is put together from three peers", async () => {
  await using rig = new Rig(PATIENT);
  rig.add(LARGE, { dieAt: 1_000_000 });
  rig.add(LARGE, { stallAt: 2_000_000 });
  rig.add(LARGE);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
  assert.deepEqual(rig.switches, ["died", "stalled"]);
});

test("a holder that appears later saves the transfer", async () => {
  await using rig = new Rig({ ...STREAMED, ...PATIENT });
  rig.add(LARGE, { stallAt: 1_000_000 });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  rig.add(LARGE);
  assert.deepEqual(await bytesOf(answer), LARGE);
  assert.deepEqual(rig.switches, ["stalled"]);
});

test("a slow peer is kept when nobody else is there", async () => {
  await using rig = new Rig(PATIENT);
  const peer = rig.add(LARGE, {
    trickleAt: LARGE.length - 4000,
    trickleMs: 25,
    trickleBytes: 100,
  });
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
  assert.deepEqual(rig.switches, []);
  assert.equal(peer.asked.length, 1);
});

for (const fault of ["dieAt", "stallAt"] as const) {
  test(`${fault} the start and nobody else: a miss, no headers without a body`, async () => {
    await using rig = new Rig();
    rig.add(LARGE, { [fault]: 0 });
    const answer = await rig.fetch(blob(digestOf(LARGE)));
    assert.ok(!answer.found);
    assert.equal(answer.reason, "peers-unreachable");
  });
}

for (const fault of ["dieAt", "stallAt"] as const) {
  test(`${fault} and nobody else: the body errors, it neither hangs nor ends`, async () => {
    await using rig = new Rig(STREAMED);
    rig.add(LARGE, { [fault]: 1_000_000 });
    const answer = await rig.fetch(blob(digestOf(LARGE)));
    await assert.rejects(bytesOf(answer), /failed at byte 1000000/);
  });
}

test("a byte now and then and nobody else: the body errors", async () => {
  await using rig = new Rig(STREAMED);
  rig.add(LARGE, { trickleAt: 1_000_000 });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  await assert.rejects(bytesOf(answer), /failed at byte 10000\d\d/);
});

/** Answers to a range request that must not be spliced in. */
const BAD_RESUMES: Record<string, Faults> = {
  "200 with everything": { ignoreRange: true },
  "another range": { headers: { "content-range": `bytes 0-9/${LARGE.length}` } },
  "another size": { headers: { "content-range": "bytes 1000000-3145727/3145729" } },
};

for (const [name, faults] of Object.entries(BAD_RESUMES)) {
  test(`a resume is not answered with ${name}`, async () => {
    await using rig = new Rig(PATIENT);
    rig.add(LARGE, { dieAt: 1_000_000 });
    rig.add(LARGE, faults);
    rig.add(LARGE);
    assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
    assert.equal(rig.peers[1]?.asked.length, 1);
  });
}

test("a lie in a large blob breaks the body before its end, and the liar is shunned", async () => {
  await using rig = new Rig({ ...STREAMED, ...PATIENT });
  const liar = rig.add(LARGE, { lieAt: 5 });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  assert(answer.found && answer.body !== null);
  let received = 0;
  await assert.rejects(async () => {
    for await (const chunk of answer.body ?? []) received += chunk.length;
  }, /digest mismatch/);
  assert(received < LARGE.length);
  assert.equal(rig.mirror.health()[0]?.standing, "shunned");
  assert(rig.log.lines.some(({ level, fields }) => level === "warn" && fields.peer === "peer-0"));
  assert.deepEqual(await rig.fetch(blob(digestOf(LARGE))), {
    found: false,
    reason: "bad-content",
    attempts: 0,
  });
  assert.equal(liar.asked.length, 1);
});

/** Nodes agree on who fetches, and nobody is named. */
const NOBODY_ELECTED: Elections = {
  assign: () => Promise.resolve(undefined),
  gaveUp: () => {},
  expects: () => false,
};

test("a peer that is still getting a blob itself is not shunned, only not believed that for a while", async () => {
  await using rig = new Rig(PATIENT, { elections: NOBODY_ELECTED });
  const relay = rig.add(SMALL, { lieAt: 5, headers: { "x-eddy-arriving": "true" } });
  assert.equal((await rig.fetch(blob(digestOf(SMALL)))).found, false);
  const line = rig.log.lines.find(({ fields }) => fields.reason === "bad-content");
  assert.equal(line?.fields["pauseMs"], 10_000);
  assert.equal(rig.mirror.health()[0]?.standing, "good");
  const again = await rig.fetch(blob(digestOf(SMALL)));
  assert.equal(!again.found && again.reason, "peers-refused");
  relay.faults = {};
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(SMALL)))), SMALL);
});

test("whoever says unasked that it is still getting a blob is not asked for it again", async () => {
  await using rig = new Rig({ ...STREAMED, ...PATIENT });
  rig.add(LARGE, { lieAt: 5, headers: { "x-eddy-arriving": "true" } });
  rig.add(LARGE);
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
  }
  assert.equal(rig.peers[0]?.asked.length, 1);
});

test("a lie in a small blob is never seen: another peer is asked", async () => {
  await using rig = new Rig(PATIENT);
  rig.add(SMALL, { lieAt: 5 });
  rig.add(SMALL);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(SMALL)))), SMALL);
  assert.deepEqual(rig.switches, ["lied"]);
});

test("only liars: a miss that says so", async () => {
  await using rig = new Rig(PATIENT);
  rig.add(SMALL, { lieAt: 5 });
  rig.add(SMALL, { lieAt: 6 });
  const answer = await rig.fetch(blob(digestOf(SMALL)));
  assert.deepEqual(answer, { found: false, reason: "bad-content", attempts: 2 });
});

test("content of another size is wrong content", async () => {
  await using rig = new Rig(PATIENT);
  const digest = digestOf(SMALL);
  const faults = { headers: { "docker-content-digest": "" } };
  for (const other of [SMALL.slice(1), noise(SMALL.length + 1)]) {
    const peer = rig.add(other, faults, digest);
    peer.add(digest, other);
  }
  const answer = await rig.fetch(blob(digest));
  assert.deepEqual(answer, { found: false, reason: "bad-content", attempts: 2 });
});

test("bytes after the announced end are not passed on", async () => {
  await using rig = new Rig();
  rig.add(LARGE, { extraBytes: 1000 });
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
});

for (
  const [range, start, end] of [
    ["bytes=2000000-", 2_000_000, LARGE.length],
    ["bytes=10-1999999", 10, 2_000_000],
    ["bytes=-100", LARGE.length - 100, LARGE.length],
    ["bytes=0-", 0, LARGE.length],
  ] as const
) {
  test(`${range} gives that part, over a resume as well`, async () => {
    await using rig = new Rig();
    rig.add(LARGE, { dieAt: 2_100_000 });
    rig.add(LARGE);
    const answer = await rig.fetch(blob(digestOf(LARGE), range));
    assert(answer.found);
    assert.deepEqual(answer.range, { start, end: end - 1 });
    assert.equal(answer.descriptor.size, LARGE.length);
    assert.deepEqual(await bytesOf(answer), LARGE.slice(start, end));
  });
}

test("a range outside of the blob is 416, if nobody has it", async () => {
  await using rig = new Rig();
  rig.add(LARGE);
  const request = blob(digestOf(LARGE), `bytes=${LARGE.length}-`);
  await assert.rejects(
    rig.fetch(request),
    (error) =>
      error instanceof OciError && error.status === 416 &&
      (error.detail as { size: number }).size === LARGE.length,
  );
});

test("a 416 for a range that lies within the size it states is a refusal", async () => {
  await using rig = new Rig();
  rig.add(LARGE, { status: 416, headers: { "content-range": `bytes */${LARGE.length}` } });
  const answer = await rig.fetch(blob(digestOf(LARGE), "bytes=5-"));
  assert.deepEqual(answer, { found: false, reason: "peers-refused", attempts: 1 });
});

test("malformed and multiple ranges are ignored: the whole blob is the answer", async () => {
  for (const range of ["lines=1-2", "bytes=1-2,5-6"]) {
    await using rig = new Rig();
    rig.add(LARGE);
    const answer = await rig.fetch(blob(digestOf(LARGE), range));
    assert.ok(answer.found);
    assert.equal(answer.range, undefined);
    assert.equal(answer.descriptor.size, LARGE.length);
    await answer.body?.cancel();
  }
});

test("a client that does not read has next to nothing got for it", async () => {
  await using rig = new Rig({ ...STREAMED, ...PATIENT });
  const content = noise(96 * 1024 * 1024);
  const peer = rig.add(content);
  const answer = await rig.fetch(blob(digestOf(content)));
  assert(answer.found && answer.body !== null);
  let before = -1;
  while (before < peer.sent) {
    before = peer.sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // What the sockets' own buffers take.
  assert.ok(peer.sent < 48 * 1024 * 1024, `${peer.sent} bytes sent`);
  await answer.body.cancel();
});

test("a lie in a blob so large that a thread of its own hashes it is found before the end", async () => {
  await using rig = new Rig(PATIENT);
  const content = noise(33 * 1024 * 1024);
  const liar = rig.add(content, { lieAt: 5 });
  const answer = await rig.fetch(blob(digestOf(content)));
  assert(answer.found && answer.body !== null);
  const reader = answer.body.getReader();
  let received = 0;
  await assert.rejects(async () => {
    while (true) received += (await reader.read()).value?.length ?? 0;
  }, /digest mismatch/);
  assert(received < content.length);
  assert.equal(rig.mirror.health()[0]?.standing, "shunned");
  liar.faults.lieAt = content.length;
  rig.add(content);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(content)))), content);
});
