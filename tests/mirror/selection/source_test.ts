import assert from "node:assert/strict";
import { Source } from "../../../lib/mirror/selection/source.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

const KIB = 1024;

/** A body of which each read brings as many bytes as the next number says, at most what is asked. */
function sourceOf(sizes: number[], clock: FakeClock): Source {
  const digest = digestOf("body");
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const body = {
    left: size,
    read: (most: number) => {
      const bytes = sizes.shift();
      return Promise.resolve(
        bytes === undefined ? undefined : new Uint8Array(Math.min(bytes, most)),
      );
    },
    close: () => {},
  };
  return new Source({
    peer: { id: "p", addresses: ["10.0.0.1"], registryPort: 5000 },
    reply: {
      ...{ status: 200, headers: new Headers(), body, address: "10.0.0.1" },
      ...{ passesProof: true, isProven: true, dismiss: () => {} },
    },
    descriptor: { digest, size, mediaType: "application/octet-stream" },
    part: { start: 0, end: size },
    release: () => {},
    clock,
  });
}

test("source: a long body that comes in small pieces is read after pauses, others at once", async () => {
  const clock = new FakeClock();
  const source = sourceOf([...Array<number>(70).fill(16 * KIB), 16 * KIB], clock);
  // The first megabyte, in pieces of 16 KiB, and the read that shows that the socket is empty.
  for (let count = 0; count < 64; count++) assert.equal((await source.read())?.length, 16 * KIB);
  assert.equal(clock.sleeping, 0);
  const next = source.read();
  assert.equal(clock.sleeping, 1);
  await clock.advance(1);
  assert.equal((await next)?.length, 16 * KIB);
});

test("source: full reads follow each other at once, however long the body", async () => {
  const clock = new FakeClock();
  const source = sourceOf(Array<number>(40).fill(256 * KIB), clock);
  let bytes = 0;
  for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
    bytes += chunk.length;
    assert.equal(clock.sleeping, 0);
  }
  assert.ok(bytes > 9 * 1024 * KIB, `${bytes} bytes`);
});
