import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import type { StoredImage } from "../../lib/ports/store.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import { ImageCatalog } from "../../lib/store/image_catalog.ts";
import { test } from "../support/test.ts";

const [A, B, S, T] = ["a", "b", "s", "t"].map((text) => digestOf(text)) as [
  ...[`sha256:${string}`, `sha256:${string}`, `sha256:${string}`, `sha256:${string}`],
];
const APP = { registry: "ghcr.io", repository: "team/app" };

function image(name: string, target: typeof A, rest: Partial<StoredImage> = {}): StoreEvent {
  return { type: "image", image: { name, target, present: [target], ...rest } };
}

/** A catalog that has heard of these events; all are passed on. */
async function told(...events: readonly StoreEvent[]): Promise<ImageCatalog> {
  const catalog = new ImageCatalog();
  const watcher = catalog.follow({
    async *watch() {
      yield* events;
    },
  });
  const passed = await Array.fromAsync(watcher.watch({ signal: new AbortController().signal }));
  assert.deepEqual(passed, events);
  return catalog;
}

test("catalog: lists the tags of one repository, in order, whose manifests are present", async () => {
  const catalog = await told(
    image("ghcr.io/team/app:v2", A),
    image("ghcr.io/team/app:v10", B),
    image("ghcr.io/team/app:V1", B),
    image("ghcr.io/team/app:gone", B, { present: [] }),
    image(`ghcr.io/team/app@${A}`, A),
    image("ghcr.io/team/app2:v3", A),
    image("docker.io/team/app:v4", A),
    image("team-app:v5", A),
    image(A, A),
    { type: "content", digest: A, sources: [] },
  );
  assert.deepEqual(catalog.tags(APP), [
    { tag: "V1", target: B },
    { tag: "v10", target: B },
    { tag: "v2", target: A },
  ]);
  assert.deepEqual(catalog.tags({ registry: "ghcr.io", repository: "team" }), []);
});

test("catalog: lists referrers of the repository, and of images without a registry", async () => {
  const referrers = [{ digest: S, subject: A }];
  const catalog = await told(
    image(`ghcr.io/team/app@${S}`, S, { referrers }),
    image("ghcr.io/evil/app:v1", T, { referrers: [{ digest: T, subject: A }] }),
    image("v1", B, { referrers: [{ digest: B, subject: A }] }),
  );
  assert.deepEqual(catalog.referrers(APP, A), [S, B].sort());
  assert.deepEqual(catalog.referrers(APP, B), []);
  assert.deepEqual(catalog.referrers({ ...APP, repository: "evil/app" }, A), [T, B].sort());
});

test("catalog: referrers of one image belong together", async () => {
  const catalog = await told(
    image("ghcr.io/team/app:v1", A, { present: [A, B] }),
    image("ghcr.io/team/app:v2", T),
    image(`ghcr.io/team/app@${S}`, S, { referrers: [{ digest: S, subject: A }] }),
  );
  const related = (digest: typeof A) => catalog.relatedReferrers(APP, digest);
  assert.deepEqual(related(A), [S]);
  assert.deepEqual(related(B), [S], "of another manifest of the image");
  assert.deepEqual(related(S), [S], "itself");
  assert.deepEqual(related(T), []);
  assert.deepEqual(catalog.relatedReferrers({ ...APP, repository: "other" }, B), []);
  const nameless = await told(image("v1", S, { referrers: [{ digest: S, subject: A }] }));
  assert.deepEqual(nameless.relatedReferrers(APP, S), [S]);
});

test("catalog: what changes, is removed or missing in a sync is listed no longer", async () => {
  const named = image("ghcr.io/team/app:v1", A, { referrers: [{ digest: A, subject: T }] });
  const sync: StoreEvent = { type: "sync", images: [] };
  const cases: readonly (readonly [StoreEvent, number])[] = [
    [image("ghcr.io/team/app:v1", B), 1],
    [{ type: "delete", name: "ghcr.io/team/app:v1" }, 0],
    [{ type: "delete", name: "ghcr.io/team/app:other" }, 1],
    [sync, 0],
  ];
  for (const [event, tags] of cases) {
    const catalog = await told(named, event);
    assert.equal(catalog.tags(APP).length, tags, event.type);
    const isKept = event.type === "delete" && tags === 1;
    assert.deepEqual(catalog.referrers(APP, T), isKept ? [A] : [], event.type);
  }
});

test("catalog: at most 50,000 images and as many referrers are listed", async () => {
  const images = Array.from({ length: 50_001 }, (_, index): StoredImage => ({
    name: `ghcr.io/team/app:v${index}`,
    target: A,
    present: [A],
    referrers: [{ digest: S, subject: A }, { digest: T, subject: A }],
  }));
  const catalog = await told({ type: "sync", images });
  assert.equal(catalog.tags(APP).length, 50_000);
  assert.deepEqual(catalog.referrers(APP, A), [S, T].sort());
});
