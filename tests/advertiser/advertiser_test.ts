import assert from "node:assert/strict";
import { Advertiser } from "../../lib/advertiser/advertiser.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { NamelessImages } from "../../lib/advertiser/nameless_images.ts";
import { createReferenceFilter, type ReferenceFilterOptions } from "../../lib/oci/filter.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";
import { MemoryRouter } from "../fakes/router.ts";
import { MemoryStore } from "../fakes/store.ts";
import { test } from "../support/test.ts";

const A: Digest = `sha256:${"a".repeat(64)}`;
const B: Digest = `sha256:${"b".repeat(64)}`;
const C: Digest = `sha256:${"c".repeat(64)}`;
const NGINX = "docker.io/library/nginx:1";
const SOURCES = [{ registry: "docker.io", repository: "library/nginx" }];

function image(name: string, target: Digest, ...more: Digest[]) {
  return { name, target, present: [target, ...more] };
}

type Step = (advertiser: Advertiser) => Promise<void> | void;

/** Feeds events one at a time, with a look at what is advertised after each. */
async function play(
  steps: (readonly [StoreEvent | Step, readonly string[]])[],
  filter: Partial<ReferenceFilterOptions> = {},
  store = new MemoryStore(),
  damaged = new Set<Digest>(),
) {
  const router = new MemoryRouter();
  const metrics = memoryMetrics();
  const clock = new FakeClock();
  const log = new MemoryLog();
  async function* watch(): AsyncGenerator<StoreEvent> {
    for (const [step, want] of steps) {
      if (typeof step === "function") await step(advertiser);
      else yield step;
      assert.deepEqual([...router.advertised].sort(), [...want].sort());
    }
  }
  const advertiser = new Advertiser({
    watcher: { watch },
    store,
    isDamaged: (digest) => damaged.has(digest),
    router,
    filter: createReferenceFilter({
      mirroredRegistries: [],
      registryFilters: [],
      resolveTags: true,
      resolveLatestTag: true,
      ...filter,
    }),
    log,
    metrics,
    clock,
  }, { looseContentMs: 1000 });
  await advertiser.run({ signal: new AbortController().signal });
  return { advertiser, metrics, log };
}

test("advertiser: tag and present content of each image, withdrawn on delete", async () => {
  const { advertiser, metrics } = await play([
    [{ type: "sync", images: [image(NGINX, A, B)] }, [A, B, NGINX]],
    [{ type: "image", image: image("ghcr.io/x/y:2", C) }, [A, B, NGINX, C, "ghcr.io/x/y:2"]],
    [{ type: "delete", name: NGINX }, [C, "ghcr.io/x/y:2"]],
    [{ type: "delete", name: "never/seen:1" }, [C, "ghcr.io/x/y:2"]],
  ]);
  assert(advertiser.synced);
  assert.deepEqual(metrics.calls.at(-1), ["advertised", { digests: 1, tags: 1 }]);
});

test("advertiser: a layer shared by two images stays until both are gone", async () => {
  const other = "docker.io/library/other:1";
  await play([
    [{ type: "sync", images: [image(NGINX, A, C), image(other, B, C)] }, [A, B, C, NGINX, other]],
    [{ type: "delete", name: NGINX }, [B, C, other]],
    [{ type: "delete", name: other }, []],
  ]);
});

test("advertiser: a tag that moves takes its old content along", async () => {
  await play([
    [{ type: "sync", images: [image(NGINX, A)] }, [A, NGINX]],
    [{ type: "image", image: image(NGINX, B) }, [B, NGINX]],
  ]);
});

test("advertiser: a tag is not advertised while its manifest is missing", async () => {
  await play([
    [{ type: "sync", images: [{ name: NGINX, target: A, present: [] }] }, []],
    [{ type: "image", image: { name: NGINX, target: A, present: [B] } }, [B]],
    [{ type: "image", image: image(NGINX, A, B) }, [A, B, NGINX]],
  ]);
});

test("advertiser: an image without a registry in its name is advertised by digest", async () => {
  await play([
    // The runtime's own name of an image is not one of these.
    [{ type: "sync", images: [image(A, A, B), image("nginx:1", C)] }, [C]],
    [{ type: "sync", images: [image(`docker.io/library/nginx@${A}`, A)] }, [A]],
  ]);
});

test("advertiser: where images are filtered by name, one without a registry is not advertised", async () => {
  await play([
    [{ type: "sync", images: [image("nginx:1", C)] }, []],
  ], { registryFilters: [/^docker\.io\/private/] });
});

test("advertiser: names without a registry are logged when their number changes", () => {
  const log = new MemoryLog();
  const nameless = new NamelessImages(log);
  for (const images of [[image(A, A)], [image("v1", C)], [image("v1", C)], [], [image("v1", C)]]) {
    nameless.report(images);
  }
  assert.equal(log.lines.length, 2);
  assert.equal(log.lines[0]?.fields["example"], "v1");
});

test("advertiser: a sync replaces everything", async () => {
  await play([
    [{ type: "sync", images: [image(NGINX, A, B)] }, [A, B, NGINX]],
    [{ type: "sync", images: [image("ghcr.io/x/y:2", B)] }, [B, "ghcr.io/x/y:2"]],
    [{ type: "sync", images: [] }, []],
  ]);
});

test("advertiser: content is advertised before its image, and handed over to it", async () => {
  await play([
    [{ type: "sync", images: [] }, []],
    [{ type: "content", digest: B, sources: SOURCES }, [B]],
    [{ type: "image", image: image(NGINX, A, B) }, [A, B, NGINX]],
    [{ type: "delete", name: NGINX }, []],
  ]);
});

test("advertiser: at a sync, content without an image stays only if young and there", async () => {
  const store = new MemoryStore();
  const here = store.add("layer");
  await play(
    [
      [{ type: "content", digest: here, sources: SOURCES }, [here]],
      [{ type: "content", digest: B, sources: SOURCES }, [here, B]],
      [{ type: "sync", images: [] }, [here]],
    ],
    {},
    store,
  );
});

test("advertiser: the filter decides for tags, digests and loose content", async () => {
  await play([
    [{ type: "sync", images: [image(NGINX, A, C), image("ghcr.io/x/y:2", B, C)] }, [
      B,
      C,
      "ghcr.io/x/y:2",
    ]],
    [{ type: "content", digest: A, sources: SOURCES }, [B, C, "ghcr.io/x/y:2"]],
  ], { registryFilters: [/^docker\.io\//] });
  await play([
    [{ type: "sync", images: [image(NGINX, A), image("ghcr.io/x/y:2", B)] }, [A, NGINX]],
  ], { mirroredRegistries: ["docker.io"] });
  await play([[{ type: "sync", images: [image(NGINX, A)] }, [A]]], { resolveTags: false });
  await play([
    [{ type: "sync", images: [image(NGINX, A), image("ghcr.io/x/y:latest", B)] }, [A, NGINX, B]],
  ], { resolveLatestTag: false });
});

test("advertiser: a store that is down loses no advertisement", async () => {
  const store = new MemoryStore();
  store.descriptor = () => Promise.reject(new Error("store is down"));
  await play(
    [
      [{ type: "sync", images: [image("ghcr.io/x/y:2", C)] }, [C, "ghcr.io/x/y:2"]],
      [{ type: "content", digest: B, sources: SOURCES }, [B, C, "ghcr.io/x/y:2"]],
      [{ type: "sync", images: [image(NGINX, A)] }, [A, B, NGINX]],
    ],
    {},
    store,
  );
});

test("advertiser: content whose registry may be filtered is kept back until it has an image", async () => {
  const portless = [{ registry: "host.test", repository: "x/y", portless: true }];
  const registryFilters = [/^host\.test:5000\//];
  const name = "host.test/x/y:1";
  const { advertiser } = await play([
    [{ type: "sync", images: [] }, []],
    [{ type: "content", digest: A, sources: portless }, []],
    [{ type: "content", digest: B, sources: portless }, []],
    [{ type: "content", digest: C, sources: [{ registry: "host.test", repository: "x/y" }] }, [C]],
    [{ type: "image", image: image(name, A) }, [A, C, name]],
  ], { registryFilters });
  const serves = (digest: Digest) =>
    advertiser.serves({ registry: "docker.io", repository: "library/other", digest });
  assert(serves(A) && serves(C));
  assert(!serves(B), "nor may it be had by another name");
});

test("advertiser: what is damaged is advertised by no event until it is right again", async () => {
  const damaged = new Set<Digest>();
  const other = "docker.io/library/other:1";
  const images = [image(NGINX, A, C), image(other, B, C)];
  const sync: StoreEvent = { type: "sync", images };
  await play(
    [
      [sync, [A, B, C, NGINX, other]],
      [(advertiser) => {
        damaged.add(C).add(A);
        return Promise.all([C, A].map((digest) => advertiser.review(digest))).then(() => {});
      }, [B, other]],
      [sync, [B, other]],
      [{ type: "image", image: image(NGINX, A, C) }, [B, other]],
      [{ type: "content", digest: C, sources: SOURCES }, [B, other]],
      [(advertiser) => {
        damaged.clear();
        return Promise.all([C, A].map((digest) => advertiser.review(digest))).then(() => {});
      }, [A, B, C, NGINX, other]],
    ],
    {},
    new MemoryStore(),
    damaged,
  );
});

test("advertiser: damaged content that belongs to no image yet is withdrawn, too", async () => {
  const damaged = new Set<Digest>();
  await play(
    [
      [{ type: "sync", images: [] }, []],
      [{ type: "content", digest: C, sources: SOURCES }, [C]],
      [(advertiser) => {
        damaged.add(C);
        return advertiser.review(C);
      }, []],
    ],
    {},
    new MemoryStore(),
    damaged,
  );
});
