import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import type { Store } from "../../lib/ports/store.ts";
import { test } from "../support/test.ts";
import { errorCode, FROM_PEER, setup } from "./setup.ts";

const CONTENT = new Uint8Array(100_000).map((_, at) => at % 251);
const DIGEST = digestOf(CONTENT);
const PATH = `/v2/a/blobs/${DIGEST}`;

/** A store with the blob, in chunks of 40,000 bytes. */
const store: Store = {
  name: "scripted",
  resolve: () => Promise.resolve(undefined),
  descriptor: (digest) =>
    Promise.resolve({ digest, size: CONTENT.length, mediaType: "application/octet-stream" }),
  open: () => {
    let at = 0;
    return Promise.resolve(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          if (at === CONTENT.length) return controller.close();
          controller.enqueue(CONTENT.slice(at, at = Math.min(at + 40_000, CONTENT.length)));
        },
      }, { highWaterMark: 0 }),
    );
  },
};

test("uploads: no more blobs at once than allowed, and the own node is not counted", async () => {
  const s = setup({ maxUploads: 2 }, { store });
  const peer = () => s.request(PATH, { headers: FROM_PEER });
  const [first, second] = [await peer(), await peer()];
  const refused = await peer();
  assert.equal(refused.status, 429);
  assert.equal(await errorCode(refused), "TOOMANYREQUESTS");
  assert.deepEqual(await (await s.request(PATH)).bytes(), CONTENT);
  assert.equal((await s.request(PATH, { method: "HEAD", headers: FROM_PEER })).status, 200);
  assert.deepEqual(await first.bytes(), CONTENT);
  const third = await peer();
  assert.equal(third.status, 200);
  await second.body?.cancel();
  await third.body?.cancel();
  const again = [await peer(), await peer()];
  assert.deepEqual(again.map(({ status }) => status), [200, 200]);
  for (const { body } of again) await body?.cancel();
});

test("uploads: a blob that cannot be opened takes no place", async () => {
  const broken = { ...store, open: () => Promise.reject(new Error("disk gone")) };
  const s = setup({ maxUploads: 1 }, { store: broken });
  for (let count = 0; count < 3; count++) {
    assert.equal((await s.request(PATH, { headers: FROM_PEER })).status, 404);
  }
});

test("uploads: what goes to peers passes the limiter in pieces, what stays here does not", async () => {
  const taken: number[] = [];
  const uploads = {
    pieceBytes: 15_000,
    take: (_flow: string, bytes: number) => {
      taken.push(bytes);
      return Promise.resolve();
    },
  };
  const s = setup({}, { store, uploads });
  assert.deepEqual(await (await s.request(PATH)).bytes(), CONTENT);
  assert.deepEqual(taken, []);
  const response = await s.request(PATH, { headers: FROM_PEER });
  assert.deepEqual(await response.bytes(), CONTENT);
  assert.equal(taken.reduce((sum, bytes) => sum + bytes, 0), CONTENT.length);
  assert.ok(taken.every((bytes) => bytes <= uploads.pieceBytes), String(taken));
});

test("uploads: a peer that goes away while it waits for its turn is let go", async () => {
  const ended = Promise.withResolvers<void>();
  const uploads = {
    pieceBytes: 15_000,
    take: (_flow: string, _bytes: number, signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => {
          ended.resolve();
          reject(signal.reason);
        }, { once: true });
      }),
  };
  const s = setup({}, { store, uploads });
  const response = await s.request(PATH, { headers: FROM_PEER });
  const reader = response.body?.getReader();
  const read = reader?.read().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 10));
  await reader?.cancel();
  await ended.promise;
  await read;
  assert.equal(s.inFlight(), 0);
});
