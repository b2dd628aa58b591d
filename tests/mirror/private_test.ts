import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import type { MirrorRequest } from "../../lib/ports/mirror.ts";
import { test } from "../support/test.ts";
import { blob, bytesOf, manifest, noise, PATIENT, Rig } from "./rig.ts";

const PRIVATE = { headers: { "x-eddy-private": "true" } };
const INDEX = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const SMALL = noise(1000);
const LARGE = noise(900_000);

const CASES: readonly [name: string, content: Uint8Array<ArrayBuffer>, request: MirrorRequest][] = [
  ["manifest", INDEX, manifest("GET", digestOf(INDEX))],
  ["small blob", SMALL, blob(digestOf(SMALL))],
  ["large blob", LARGE, blob(digestOf(LARGE))],
  ["part of a blob", LARGE, blob(digestOf(LARGE), "bytes=0-99")],
  ["question for a blob", SMALL, { ...blob(digestOf(SMALL)), method: "HEAD" }],
];

for (const [name, content, request] of CASES) {
  test(`what a peer says is private is marked, and not taken if open content is wanted: ${name}`, async () => {
    await using rig = new Rig(PATIENT);
    rig.add(content, PRIVATE);
    const hit = await rig.fetch(request);
    assert(hit.found);
    assert.equal(hit.isPrivate, true);
    await hit.body?.cancel();
    const miss = await rig.fetch({ ...request, openOnly: true });
    assert.deepEqual([miss.found, !miss.found && miss.reason], [false, "peers-refused"]);
  });

  test(`a peer that does not say so is asked then: ${name}`, async () => {
    await using rig = new Rig(PATIENT);
    rig.add(content, PRIVATE);
    rig.add(content);
    const hit = await rig.fetch({ ...request, openOnly: true });
    assert(hit.found);
    assert.equal(hit.peer, "peer-1");
    assert.equal(hit.isPrivate, false);
    await hit.body?.cancel();
  });
}

test("who wants open content does not share what others are given as private", async () => {
  await using rig = new Rig(PATIENT);
  rig.add(SMALL, { ...PRIVATE, headerDelayMs: 30 });
  rig.add(INDEX, { ...PRIVATE, headerDelayMs: 30 });
  for (const request of [blob(digestOf(SMALL)), manifest("GET", digestOf(INDEX))]) {
    const [taken, refused] = await Promise.all([
      rig.fetch(request),
      rig.fetch({ ...request, openOnly: true }),
    ]);
    assert.ok((await bytesOf(taken)).length > 0);
    assert.equal(refused.found, false);
  }
});

test("open parts of a blob are fetched once, also after private ones", async () => {
  await using rig = new Rig(PATIENT);
  const content = noise(3_000_000, 3);
  const digest = digestOf(content);
  const closed = rig.add(content, PRIVATE);
  const open = rig.add(content);
  for (const openOnly of [false, true, true, false, true]) {
    const hit = await rig.fetch({ ...blob(digest, "bytes=5-9"), openOnly });
    assert.ok(hit.found && !(openOnly && hit.isPrivate));
    assert.deepEqual(await bytesOf(hit), content.slice(5, 10));
  }
  const wholes = [closed, open].map(({ asked }) =>
    asked.filter(({ headers }) => headers.get("range") === null).length
  );
  assert.deepEqual(wholes, [1, 1]);
});

test("peers are told when only open content is wanted", async () => {
  await using rig = new Rig(PATIENT);
  for (const openOnly of [true, false]) {
    const content = openOnly ? SMALL : LARGE;
    const peer = rig.add(content);
    const hit = await rig.fetch({ ...blob(digestOf(content), "bytes=0-9"), openOnly });
    await bytesOf(hit);
    assert.equal(peer.asked.at(-1)?.headers.get("x-eddy-open") ?? null, openOnly ? "true" : null);
  }
});
