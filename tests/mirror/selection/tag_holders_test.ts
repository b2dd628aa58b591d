import assert from "node:assert/strict";
import { systemClock } from "../../../lib/async/clock.ts";
import type { Peer } from "../../../lib/ports/router.ts";
import type { TrustedAddresses } from "../../../lib/ports/access.ts";
import { TagResolver } from "../../../lib/access/tags/tag_resolver.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { memoryMetrics } from "../../fakes/metrics.ts";
import { MemoryStore } from "../../fakes/store.ts";
import { test } from "../../support/test.ts";
import { bytesOf, manifest, PATIENT, Rig } from "../rig.ts";

const RIGHT = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const FALSE = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [{}] }));
const TAG = "docker.io/library/app:1";
const NAMED = "127.0.0.1";
/** Loopback too, so that whoever is asked there answers. */
const STRANGE = "127.0.0.66";
const never = { signal: new AbortController().signal };

/** Names one address, and others once it has been asked again. */
class Names implements TrustedAddresses {
  looks = 0;
  readonly #named = new Set([NAMED]);

  constructor(readonly later: readonly string[] = []) {}

  isTrusted(address: string): boolean {
    return this.#named.has(address);
  }

  refresh(): Promise<void> {
    this.looks++;
    for (const address of this.later) this.#named.add(address);
    return Promise.resolve();
  }
}

/** A mirror that believes whom `names` names. */
function rigOf(names: Names): Rig {
  return new Rig(PATIENT, { trustedAddresses: names });
}

/** Makes a holder of the tag known to the router, at these addresses. */
function provide(rig: Rig, peer: Peer, addresses: readonly string[]): void {
  rig.router.provide(TAG, { ...peer, addresses });
}

/** A server of another image for the tag, newer than any. */
function addLiar(rig: Rig, addresses: readonly string[]) {
  const liar = rig.add(
    FALSE,
    { headers: { "x-eddy-tag-time": String(Date.now()) } },
    "elsewhere:1",
  );
  provide(rig, liar.peer, addresses);
  return liar;
}

test("a tag without proofs: a peer that is not named is not even asked", async () => {
  const names = new Names();
  await using rig = rigOf(names);
  const liar = addLiar(rig, [STRANGE]);
  for (const method of ["HEAD", "GET"] as const) {
    assert.deepEqual(await rig.fetch(manifest(method, "1")), {
      ...{ found: false, reason: "peers-unnamed", attempts: 0 },
    });
  }
  assert.deepEqual(await rig.mirror.tagAnswers?.(manifest("HEAD", "1"), never), []);
  assert.equal(liar.asked.length, 0);
  assert.equal(names.looks, 3);
  const lines = rig.log.lines.filter(({ fields }) => fields["tag"] === TAG);
  assert.deepEqual(lines.map(({ level }) => level), ["warn", "debug", "debug"], "said once");
  assert.equal(lines[0]?.fields["peer"], liar.peer.id);
  assert.match(String(lines[0]?.fields["fix"]), /--cluster-key-file.*bootstrap.*--tag-policy peer/);
});

test("a tag without proofs: a named peer is asked, however many others there are", async () => {
  await using rig = rigOf(new Names());
  const liars = Array.from({ length: 30 }, () => addLiar(rig, [STRANGE]));
  const honest = rig.add(RIGHT, {}, TAG);
  const hit = await rig.fetch(manifest("GET", "1"));
  assert.deepEqual(await bytesOf(hit), RIGHT);
  assert.equal(hit.found && hit.peer, honest.peer.id);
  assert.deepEqual(await rig.mirror.tagAnswers?.(manifest("HEAD", "1"), never), [
    { digest: digestOf(RIGHT), peer: honest.peer.id, updatedAt: undefined },
  ]);
  for (const { asked } of liars) assert.equal(asked.length, 0);
});

test("a tag without proofs: of a peer's addresses only the named ones are used", async () => {
  await using rig = rigOf(new Names());
  // Who says that a named node's address is its own, too, is asked there: the node answers.
  const node = rig.add(RIGHT, {}, "elsewhere:1");
  provide(rig, node.peer, [STRANGE, NAMED]);
  assert.deepEqual(await bytesOf(await rig.fetch(manifest("GET", "1"))), RIGHT);
  assert.equal(node.asked.length, 1);
});

test("a tag without proofs: a peer that is new is believed once the source names it", async () => {
  const names = new Names([STRANGE]);
  await using rig = rigOf(names);
  const peer = rig.add(RIGHT, {}, "elsewhere:1");
  provide(rig, peer.peer, [STRANGE]);
  // Nothing answers at the other address; that it is asked there is what counts.
  const miss = await rig.fetch(manifest("GET", "1"));
  assert.deepEqual(miss, { found: false, reason: "peers-unreachable", attempts: 1 });
  assert.equal(names.looks, 1);
});

test("content by digest is had from everybody", async () => {
  const names = new Names();
  await using rig = rigOf(names);
  const stranger = rig.add(FALSE, {}, "elsewhere:1");
  // Whether it is named is not asked: the address is one that answers.
  rig.router.provide(digestOf(FALSE), stranger.peer);
  const named = names.isTrusted.bind(names);
  let asked = 0;
  names.isTrusted = (address) => (asked++, named(address));
  assert.deepEqual(await bytesOf(await rig.fetch(manifest("GET", digestOf(FALSE)))), FALSE);
  assert.equal(asked + names.looks, 0);
});

test("the newest of several is the newest of those who are believed", async () => {
  await using rig = rigOf(new Names());
  const liar = addLiar(rig, [STRANGE]);
  const older = { "x-eddy-tag-time": String(Date.now() - 2_000_000) };
  rig.add(RIGHT, { headers: older }, TAG);
  const store = new MemoryStore();
  const tags = new TagResolver({
    ...{ store, mirror: rig.mirror, metrics: memoryMetrics(), clock: systemClock, log: rig.log },
  });
  const path = manifest("GET", "1");
  assert.equal((await tags.resolve(path, undefined, never)).reference.tag, "1", "nobody disagrees");
  assert.deepEqual(await bytesOf(await rig.fetch(path)), RIGHT);
  store.tag(TAG, digestOf(RIGHT), Date.now() - 1_000_000);
  assert.equal((await tags.resolve(path, undefined, never)).reference.tag, "1");
  assert.equal(liar.asked.length, 0);
});
