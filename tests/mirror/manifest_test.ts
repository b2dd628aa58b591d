import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import { MAX_MANIFEST_BYTES, OCI_INDEX } from "../../lib/oci/media_type.ts";
import { test } from "../support/test.ts";
import { type Faults } from "./fault_peer.ts";
import { bytesOf, manifest, noise, PATIENT, Rig } from "./rig.ts";

const INDEX = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const OTHER = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [{}] }));
const TAG = "docker.io/library/app:1";

test("a manifest comes by digest, with the media type that its content has", async () => {
  await using rig = new Rig();
  rig.add(INDEX);
  const answer = await rig.fetch(manifest("GET", digestOf(INDEX)));
  assert.deepEqual(await bytesOf(answer), INDEX);
  assert(answer.found);
  assert.deepEqual(answer.descriptor, {
    digest: digestOf(INDEX),
    size: INDEX.length,
    mediaType: OCI_INDEX,
  });
});

test("a tag that resolved can be had by its digest, even if the peer is gone by then", async () => {
  await using rig = new Rig();
  const peer = rig.add(INDEX, {}, TAG);
  const head = await rig.fetch(manifest("HEAD", "1"));
  assert(head.found);
  assert.equal(head.body, null);
  assert.equal(head.descriptor.digest, digestOf(INDEX));
  assert.equal(peer.asked[0]?.method, "GET");
  await peer[Symbol.asyncDispose]();
  const get = await rig.fetch(manifest("GET", head.descriptor.digest));
  assert.deepEqual(await bytesOf(get), INDEX);
});

test("a tag is asked for anew each time: it may have moved", async () => {
  await using rig = new Rig();
  const peer = rig.add(INDEX, {}, TAG);
  await rig.fetch(manifest("HEAD", "1"));
  peer.add("1", OTHER);
  const answer = await rig.fetch(manifest("GET", "1"));
  assert.deepEqual(await bytesOf(answer), OTHER);
});

test("equal requests at the same time are one request to a peer", async () => {
  await using rig = new Rig(PATIENT);
  const peer = rig.add(INDEX, { headerDelayMs: 30 });
  const request = manifest("GET", digestOf(INDEX));
  const answers = await Promise.all([1, 2, 3].map(() => rig.fetch(request)));
  for (const answer of answers) assert.deepEqual(await bytesOf(answer), INDEX);
  assert.equal(peer.asked.length, 1);
});

test("a client that leaves does not take the others' manifest with it", async () => {
  await using rig = new Rig();
  rig.add(INDEX, { headerDelayMs: 50 });
  const request = manifest("GET", digestOf(INDEX));
  const leaving = new AbortController();
  const left = rig.fetch(request, leaving.signal);
  const stayed = rig.fetch(request);
  leaving.abort(new Error("client left"));
  await assert.rejects(left, /client left/);
  assert.deepEqual(await bytesOf(await stayed), INDEX);
});

/** Ways to answer for a tag or digest that another peer has to make good. */
const BAD: Record<string, { content: Uint8Array<ArrayBuffer>; faults: Faults; lied: boolean }> = {
  "wrong bytes": { content: INDEX, faults: { lieAt: 3 }, lied: true },
  "another digest in the header": {
    content: INDEX,
    faults: { headers: { "docker-content-digest": digestOf(OTHER) } },
    lied: true,
  },
  "no digest in the header": {
    content: INDEX,
    faults: { headers: { "docker-content-digest": "" } },
    lied: false,
  },
  "something that is no manifest": { content: noise(100), faults: {}, lied: false },
  "too much": { content: new Uint8Array(MAX_MANIFEST_BYTES + 1), faults: {}, lied: false },
};

for (const [name, { content, faults, lied }] of Object.entries(BAD)) {
  test(`a peer that answers a tag with ${name} is passed over`, async () => {
    await using rig = new Rig(PATIENT);
    rig.add(content, faults, TAG);
    rig.add(INDEX, {}, TAG);
    const answer = await rig.fetch(manifest("GET", "1"));
    assert.deepEqual(await bytesOf(answer), INDEX);
    const first = rig.mirror.health().find(({ id }) => id === "peer-0");
    assert.equal(first?.standing, lied ? "shunned" : "good");
  });
}

test("a manifest that breaks off goes on at another peer, by digest", async () => {
  await using rig = new Rig(PATIENT);
  rig.add(INDEX, { dieAt: 10 }, TAG);
  const second = rig.add(INDEX, {}, TAG);
  assert.deepEqual(await bytesOf(await rig.fetch(manifest("GET", "1"))), INDEX);
  assert(second.asked[0]?.path.includes(digestOf(INDEX)));
});

test("nobody has the tag: a miss with the reason", async () => {
  await using rig = new Rig();
  rig.add(INDEX, { status: 404 }, TAG);
  const answer = await rig.fetch(manifest("HEAD", "1"));
  assert.deepEqual(answer, { found: false, reason: "peers-refused", attempts: 1 });
});
