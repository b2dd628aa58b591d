import assert from "node:assert/strict";
import { TagResolver } from "../../lib/access/tags/tag_resolver.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { createDebugPages } from "../../lib/agent/debug_pages.ts";
import type { AdvertisedContent } from "../../lib/observability/debug/debug_source.ts";
import { RequestRing } from "../../lib/observability/debug/request_ring.ts";
import { Traffic } from "../../lib/observability/debug/traffic.ts";
import { Advertiser } from "../../lib/advertiser/advertiser.ts";
import type { Config } from "../../lib/config/options.ts";
import { referenceFilterOf } from "../../lib/agent/reference_filter.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import type { ReferenceFilter } from "../../lib/oci/filter.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import { createRegistryApp } from "../../lib/registry/registry_app.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";
import { MemoryRouter } from "../fakes/router.ts";
import { MemoryStore } from "../fakes/store.ts";
import { FakeMirror } from "../registry/setup.ts";
import type { WatcherFixture } from "../store/conformance.ts";
import { type ContainerdFixture, containerdFixture, ociLayoutFixture } from "../store/fixtures.ts";
import { putImage, sampleImage } from "../store/sample_image.ts";
import { WatchRecorder } from "../store/watch_recorder.ts";
import { configOf } from "../support/config_of.ts";
import { test } from "../support/test.ts";

/** One of the places where it shows what the filter lets through. */
interface Surface {
  readonly name: string;
  /** Tells whether a tag, or content of a repository, can be seen there. */
  shows(image: HeldImage, what: "tag" | Digest): Promise<boolean>;
}

interface HeldImage {
  /** `registry/repository:tag`. */
  readonly name: string;
  readonly target: Digest;
  /** Manifest, config and layers. */
  readonly digests: readonly Digest[];
}

/** Images whose content nothing else shares. */
const NAMES = [
  "docker.io/library/nginx:1",
  "docker.io/library/redis:latest",
  "docker.io/private/app:1",
  "quay.io/org/app:dev",
  "registry.test:5000/x/y:latest",
];
const [NGINX, REDIS, PRIVATE, QUAY, LOCAL] = NAMES as [string, string, string, string, string];

/** Flags, the names that may be seen by tag, and those that may be seen by digest. */
const CASES: readonly (readonly [flags: string[], tags: string[], digests: string[]])[] = [
  [[], NAMES, NAMES],
  [["--resolve-tags=false"], [], NAMES],
  [["--resolve-latest-tag=false"], [NGINX, PRIVATE, QUAY], NAMES],
  [["--mirrored-registries", "docker.io"], [NGINX, REDIS, PRIVATE], [NGINX, REDIS, PRIVATE]],
  [["--mirrored-registries", "https://quay.io"], [QUAY], [QUAY]],
  [["--mirrored-registries", "http://registry.test:5000"], [LOCAL], [LOCAL]],
  [["--mirrored-registries", "_default"], NAMES, NAMES],
  [["--registry-filters", "/private/"], [NGINX, REDIS, QUAY, LOCAL], [NGINX, REDIS, QUAY, LOCAL]],
  [["--registry-filters", ":dev$"], [NGINX, REDIS, PRIVATE, LOCAL], NAMES],
  [
    // A tag is not shown if what it points to is not.
    ["--registry-filters", "^docker\\.io/library/nginx$"],
    [REDIS, PRIVATE, QUAY, LOCAL],
    [REDIS, PRIVATE, QUAY, LOCAL],
  ],
  [
    ["--registry-filters", "^docker", "test:5000", "--resolve-latest-tag=false"],
    [QUAY],
    [QUAY],
  ],
  [
    ["--mirrored-registries", "docker.io", "--registry-filters", "/private/", "--resolve-tags=0"],
    [],
    [NGINX, REDIS],
  ],
];

const STORES: Readonly<Record<string, () => Promise<WatcherFixture>>> = {
  "containerd": containerdFixture,
  "OCI layout": ociLayoutFixture,
};

for (const [store, open] of Object.entries(STORES)) {
  test(`filters hold on every surface alike, ${store}`, async (t) => {
    const { images, events } = await record(open);
    const held = await heldInMemory();
    for (const [flags, tags, digests] of CASES) {
      await t.step(flags.join(" ") || "no flags", async () => {
        const node = await TestNode.create(held, flags);
        await node.play(events);
        for (const surface of node.surfaces) {
          for (const image of images) {
            const seen = `${surface.name}: ${image.name}`;
            assert.equal(await surface.shows(image, "tag"), tags.includes(image.name), seen);
            for (const digest of image.digests) {
              const what = `${seen} by digest`;
              assert.equal(await surface.shows(image, digest), digests.includes(image.name), what);
            }
          }
        }
        for (const image of images.filter(({ name }) => !digests.includes(name))) {
          await node.checkOtherName(image, digests[0]);
        }
        node.checkMirror();
      });
    }
  });
}

/**
 * What a store tells of the images: some are there at the start, the others come one by one, and in
 * the end all content arrives once more, as the parts of an image without a name would.
 */
async function record(open: () => Promise<WatcherFixture>): Promise<{
  readonly images: readonly HeldImage[];
  readonly events: readonly StoreEvent[];
}> {
  await using fixture = await open();
  const images: HeldImage[] = [];
  for (const name of NAMES.slice(0, 2)) images.push(await hold(fixture, name));
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  for (const name of NAMES.slice(2)) {
    const image = await hold(fixture, name);
    images.push(image);
    await recorder.next("image", (event) =>
      event.image.name === name &&
      image.digests.every((digest) => event.image.present.includes(digest)));
  }
  if ("fake" in fixture) {
    for (const { name, digests } of images) {
      await recorder.pass(100);
      await holdContent(fixture as ContainerdFixture, name);
      for (const left = new Set(digests); left.size > 0;) {
        left.delete((await recorder.next("content")).digest);
      }
    }
  }
  return { images, events: recorder.events };
}

/** The same images in a store that answers the many requests of this test. */
async function heldInMemory(): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const name of NAMES) {
    const put = (content: string) => Promise.resolve(store.add(content));
    const [target] = await putImage(sampleImage(name, digestOf), put);
    store.tag(name, target as Digest);
  }
  return store;
}

/** The parts that a filter goes through, joined as the agent joins them. */
class TestNode {
  readonly surfaces: readonly Surface[];
  readonly #app: ReturnType<typeof createRegistryApp>["app"];
  readonly #router = new MemoryRouter();
  readonly #mirror = new FakeMirror();
  readonly #advertiser: Advertiser;
  #events: readonly StoreEvent[] = [];

  static async create(store: MemoryStore, flags: readonly string[]): Promise<TestNode> {
    const config = configOf("agent", flags);
    return new TestNode(store, config, await referenceFilterOf(config));
  }

  private constructor(store: MemoryStore, config: Config, filter: ReferenceFilter) {
    const shared = { store, log: new MemoryLog(), metrics: memoryMetrics(), clock: systemClock };
    const watcher = { watch: () => this.#replay() };
    const advertiser = new Advertiser({ ...shared, watcher, router: this.#router, filter });
    const { app } = createRegistryApp(
      {
        ...{ ...shared, mirror: this.#mirror, router: this.#router },
        tags: new TagResolver({ ...shared, mirror: this.#mirror }),
      },
      { filter: advertiser.serves },
    );
    this.#app = app;
    this.#advertiser = advertiser;
    this.surfaces = [
      requests("requests of containerd", app, {}),
      requests("requests of peers", app, { "x-spegel-mirrored": "true" }),
      {
        name: "advertisements",
        shows: ({ name }, what) =>
          Promise.resolve(this.#router.advertised.has(what === "tag" ? name : what)),
      },
      debugPage(createDebugPages({
        integrity: { damaged: 0 },
        ...shared,
        config,
        filter,
        advertiser,
        router: Object.assign(this.#router, { id: "self" }),
        mirror: Object.assign(this.#mirror, { health: () => [] }),
        traffic: new Traffic(),
        unaskedRegistries: () => [],
        requests: new RequestRing(),
        topology: () => undefined,
        conditions: () => [],
        checks: () => Promise.resolve([]),
      })),
    ];
  }

  /** Lets the advertiser follow what the store told. */
  async play(events: readonly StoreEvent[]): Promise<void> {
    this.#events = events;
    await this.#advertiser.run({ signal: new AbortController().signal });
  }

  /** Content that is filtered cannot be had by a name that is not. */
  async checkOtherName(image: HeldImage, disguise: string | undefined): Promise<void> {
    if (disguise === undefined) return;
    const { registry, repository } = parseReference(disguise) ?? {};
    for (const digest of image.digests) {
      const kind = digest === image.target ? "manifests" : "blobs";
      const path = `/v2/${repository}/${kind}/${digest}?ns=${registry}`;
      const response = await this.#app.request(path);
      await response.body?.cancel();
      assert.equal(response.status, 404, `${image.name} as ${disguise}`);
    }
  }

  /** What is filtered must not be asked of peers either. */
  checkMirror(): void {
    assert.deepEqual(this.#mirror.requests, [], "all that is not filtered is held here");
  }

  async *#replay(): AsyncGenerator<StoreEvent> {
    yield* this.#events;
  }
}

async function hold(fixture: WatcherFixture, name: string): Promise<HeldImage> {
  const digests = "fake" in fixture
    ? await holdContent(fixture as ContainerdFixture, name)
    : await putImage(sampleImage(name, digestOf), (content) => fixture.put(content));
  const target = digests[0] as Digest;
  await fixture.tag(name, target);
  return { name, target, digests };
}

/** containerd labels content with where it came from; the label's name has no room for the port. */
async function holdContent({ fake }: ContainerdFixture, name: string): Promise<Digest[]> {
  const { registry = "", repository = "" } = parseReference(name) ?? {};
  const host = registry.replace(/:\d+$/, "");
  const labels = { [`containerd.io/distribution.source.${host}`]: repository };
  return await putImage(
    sampleImage(name, digestOf),
    (content) => fake.addContent(content, { labels }),
  );
}

/** What the debug page lists, by the image that it lists it for. */
function debugPage(app: ReturnType<typeof createDebugPages>): Surface {
  return {
    name: "debug page",
    async shows(image, what) {
      const response = await app.request("/debug/api/content");
      const content: AdvertisedContent[] = await response.json();
      const html = await (await app.request(`/debug/content?q=${image.name}`)).text();
      const listed = content.filter((entry) => entry.image === image.name);
      const shown = listed.some(({ tags, digests }) =>
        what === "tag" ? tags.includes(image.name) : digests.includes(what)
      );
      assert.equal(listed.length > 0, html.includes(`${image.name}<`), "page and JSON agree");
      return shown;
    },
  };
}

function requests(
  name: string,
  app: ReturnType<typeof createRegistryApp>["app"],
  headers: Record<string, string>,
): Surface {
  return {
    name,
    async shows(image, what) {
      const { registry, repository, tag } = parseReference(image.name) ?? {};
      const kind = what === "tag" || what === image.target ? "manifests" : "blobs";
      const path = `/v2/${repository}/${kind}/${what === "tag" ? tag : what}?ns=${registry}`;
      const statuses: number[] = [];
      for (const method of ["HEAD", "GET"]) {
        const response = await app.request(path, { method, headers });
        await response.body?.cancel();
        statuses.push(response.status);
      }
      assert.equal(statuses[0], statuses[1], `HEAD and GET of ${path}`);
      return statuses[0] === 200;
    },
  };
}
