import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import type { ListRequest } from "../../lib/ports/mirror.ts";
import { test } from "../support/test.ts";
import type { Faults } from "./fault_peer.ts";
import { Rig } from "./rig.ts";

const never = { signal: new AbortController().signal };
const APP = { registry: "docker.io", repository: "library/app" };
const SUBJECT = digestOf("subject");
const TAGS: ListRequest = {
  ...{ kind: "tags", reference: APP, last: undefined, n: 10, openOnly: true },
  near: [{ ...APP, tag: "v1" }],
};
const REFERRERS: ListRequest = {
  ...{ kind: "referrers", reference: { ...APP, digest: SUBJECT }, last: undefined, n: 10 },
  ...{ openOnly: false, near: [{ ...APP, digest: SUBJECT }] },
};

/** A peer with a list, found as the holder of `key`. */
function add(rig: Rig, list: unknown, key: string, faults: Faults = {}) {
  const content = new TextEncoder().encode(JSON.stringify(list));
  const peer = rig.add(content, faults, key);
  for (const path of ["list", SUBJECT]) peer.add(path, content);
  return peer;
}

async function lists(rig: Rig, request: ListRequest) {
  const found = await rig.mirror.lists?.(request, never) ?? assert.fail();
  return found.toSorted((a, b) => a.entries.join().localeCompare(b.entries.join()));
}

test("lists: holders of what is near are asked, and others that are known", async () => {
  await using rig = new Rig();
  const holder = add(rig, { tags: ["v1", "v2"] }, "docker.io/library/app:v1");
  const other = add(rig, { tags: ["v3"] }, "docker.io/library/other:v1");
  assert.deepEqual(await lists(rig, TAGS), [
    { entries: ["v1", "v2"], more: false },
    { entries: ["v3"], more: false },
  ]);
  for (const { asked } of [holder, other]) {
    const [{ method, path, headers } = assert.fail()] = asked;
    assert.equal(`${method} ${path}`, "GET /v2/library/app/tags/list?ns=docker.io&n=10");
    assert.equal(headers.get("x-spegel-mirrored"), "true");
    assert.equal(headers.get("x-eddy-open"), "true");
  }
});

test("lists: referrers are asked for by the subject, with what is private", async () => {
  await using rig = new Rig();
  const manifests = [{ digest: digestOf("one") }, { digest: "none" }];
  const holder = add(rig, { manifests }, SUBJECT, { headers: { link: "<x>; rel=next" } });
  assert.deepEqual(await lists(rig, { ...REFERRERS, last: digestOf("zero") }), [
    { entries: [digestOf("one")], more: true },
  ]);
  const [{ path, headers } = assert.fail()] = holder.asked;
  const last = encodeURIComponent(digestOf("zero"));
  assert.equal(
    path,
    `/v2/library/app/referrers/${SUBJECT}?ns=docker.io&n=10&last=${last}`,
  );
  assert.equal(headers.get("x-eddy-open"), null);
});

const USELESS: readonly (readonly [what: string, list: unknown, faults: Faults])[] = [
  ["has none", {}, { status: 404 }],
  ["hangs", {}, { silent: true }],
  ["stalls", { tags: ["a"] }, { stallAt: 3 }],
  ["sends other bytes than it says", { tags: ["a"] }, { lieAt: 10 }],
  ["does not say what it sends", { tags: ["a"] }, { headers: { "docker-content-digest": "" } }],
  ["sends no list", {}, {}],
  ["sends a list of something else", { tags: [1, "not a tag"] }, {}],
  ["sends too much", { tags: ["a"], filler: "x".repeat(1024 * 1024) }, {}],
  ["sends what is private", { tags: ["a"] }, { headers: { "x-eddy-private": "true" } }],
];

for (const [what, list, faults] of USELESS) {
  test(`lists: a peer that ${what} is left out`, async () => {
    await using rig = new Rig();
    const key = "docker.io/library/app:v1";
    const bad = add(rig, list, key, faults);
    add(rig, { tags: ["v1"] }, key);
    assert.deepEqual(await lists(rig, TAGS), [{ entries: ["v1"], more: false }]);
    assert.ok(bad.asked.length > 0);
    assert.deepEqual(rig.router.failures, [], "it may still be good for pulls");
  });
}

test("lists: no peer sends more than it was asked for", async () => {
  await using rig = new Rig();
  add(rig, { tags: Array.from({ length: 50 }, (_, index) => `v${index}`) }, "other");
  const [{ entries } = assert.fail()] = await lists(rig, TAGS);
  assert.equal(entries.length, 10);
});

test("lists: only peers that bootstrap names are asked, where that counts", async () => {
  const trustedAddresses = { isTrusted: () => false, refresh: () => Promise.resolve() };
  await using rig = new Rig({}, { trustedAddresses });
  const peer = add(rig, { tags: ["v1"] }, "docker.io/library/app:v1");
  assert.deepEqual(await lists(rig, TAGS), []);
  assert.deepEqual(peer.asked, []);
});

test("lists: nobody is known, or the client goes away", async () => {
  await using rig = new Rig();
  assert.deepEqual(await lists(rig, TAGS), []);
  await assert.rejects(
    async () => await rig.mirror.lists?.(TAGS, { signal: AbortSignal.abort() }),
    { name: "AbortError" },
  );
});
