import assert from "node:assert/strict";
import type { Digest } from "../../../lib/oci/digest.ts";
import { parseReference } from "../../../lib/oci/reference.ts";
import type { MirrorRequest, TagAnswer } from "../../../lib/ports/mirror.ts";
import { TagResolver } from "../../../lib/access/tags/tag_resolver.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { memoryMetrics } from "../../fakes/metrics.ts";
import { MemoryStore } from "../../fakes/store.ts";
import { test } from "../../support/test.ts";

const NAME = "docker.io/library/app:1";
const TODAY = Date.UTC(2026, 0, 2);
const HOUR = 3_600_000;
const never = { signal: new AbortController().signal };

const reference = parseReference(NAME);
assert.ok(reference);
const PATH = { kind: "manifest" as const, reference };

function digest(letter: string): Digest {
  return `sha256:${letter.repeat(64)}`;
}

/** What peers say and have, and what is asked of them. */
function setup(said: readonly (readonly [letter: string, hoursAgo: number | undefined])[]) {
  const asked = { tags: 0, manifests: [] as (Digest | undefined)[] };
  const absent = new Set<string>();
  const store = new MemoryStore();
  const clock = new FakeClock();
  const metrics = memoryMetrics();
  const answers = said.map(([letter, hoursAgo], index): TagAnswer => ({
    digest: digest(letter),
    peer: `peer-${index}`,
    updatedAt: hoursAgo === undefined ? undefined : TODAY - hoursAgo * HOUR,
  }));
  const tags = new TagResolver({
    ...{ store, clock, metrics, log: new MemoryLog(), today: () => TODAY },
    mirror: {
      tagAnswers: () => {
        asked.tags++;
        return Promise.resolve(answers);
      },
      fetch: ({ reference: { digest } }: MirrorRequest) => {
        asked.manifests.push(digest);
        if (digest === undefined || absent.has(digest)) {
          return Promise.resolve({ found: false, reason: "no-peer" as const, attempts: 1 });
        }
        const descriptor = { digest, size: 1, mediaType: "" };
        return Promise.resolve({ found: true as const, descriptor, body: null, peer: "peer-0" });
      },
    },
  });
  return { tags, asked, absent, store, clock, metrics };
}

const CASES: readonly {
  readonly name: string;
  readonly own?: readonly [letter: string, hoursAgo: number | undefined];
  readonly said: readonly (readonly [letter: string, hoursAgo: number | undefined])[];
  readonly absent?: string;
  /** Undefined: the tag's own path. */
  readonly want: string | undefined;
}[] = [
  { name: "nobody knows it", said: [], want: undefined },
  { name: "all agree", said: [["a", 1], ["a", 2]], want: undefined },
  { name: "the newest of several", said: [["a", 3], ["b", 1], ["c", 2]], want: "b" },
  { name: "who keeps no time counts as oldest", said: [["a", undefined], ["b", 9]], want: "b" },
  { name: "a time to come is no proof", said: [["a", -1], ["b", 9]], want: "b" },
  {
    name: "the next, where the newest cannot be had",
    said: [["a", 3], ["b", 1]],
    absent: "b",
    want: "a",
  },
  { name: "a peer's, newer than the own", own: ["a", 5], said: [["b", 1]], want: "b" },
  { name: "the own, newer than a peer's", own: ["a", 1], said: [["b", 5]], want: undefined },
  { name: "the own, as new as a peer's", own: ["a", 1], said: [["b", 1]], want: undefined },
  { name: "the own, of unknown time", own: ["a", undefined], said: [["b", 1]], want: undefined },
  { name: "the own, which a peer has too", own: ["a", 5], said: [["a", 1]], want: undefined },
  {
    name: "the own, where the newer cannot be had",
    own: ["a", 5],
    said: [["b", 1]],
    absent: "b",
    want: undefined,
  },
];

for (const { name, own, said, absent, want } of CASES) {
  test(`tags without upstream: ${name}`, async () => {
    const s = setup(said);
    if (absent !== undefined) s.absent.add(digest(absent));
    if (own !== undefined) {
      const [letter, hoursAgo] = own;
      s.store.tag(
        NAME,
        digest(letter),
        hoursAgo === undefined ? undefined : TODAY - hoursAgo * HOUR,
      );
    }
    const path = await s.tags.resolve(PATH, undefined, never);
    if (want === undefined) assert.deepEqual(path, PATH);
    else assert.deepEqual(path.reference, { ...withoutTag(), digest: digest(want) });
  });
}

function withoutTag() {
  return { registry: "docker.io", repository: "library/app" };
}

test("tags without upstream: peers are not asked for each request", async () => {
  const s = setup([["a", 3], ["b", 1]]);
  const paths = await Promise.all([1, 2, 3].map(() => s.tags.resolve(PATH, undefined, never)));
  paths.push(await s.tags.resolve(PATH, undefined, never));
  for (const { reference } of paths) assert.equal(reference.digest, digest("b"));
  assert.equal(s.asked.tags, 1);
  await s.clock.advance(5001);
  await s.tags.resolve(PATH, undefined, never);
  assert.equal(s.asked.tags, 2);
});

test("tags by upstream: peers that have another digest are counted, now and then", async () => {
  const s = setup([["a", 3], ["b", 1], ["c", undefined]]);
  const stale = () => s.metrics.calls.filter(([name]) => name === "staleTag").length;
  for (let request = 0; request < 3; request++) {
    await s.tags.resolve(PATH, digest("b"), never);
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.equal(stale(), 2);
  await s.clock.advance(30_001);
  await s.tags.resolve(PATH, digest("b"), never);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(stale(), 4);
  assert.deepEqual(s.asked.manifests, []);
});
