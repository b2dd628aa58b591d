import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import { deadline } from "../../lib/async/deadline.ts";
import { createDebugPages } from "../../lib/commands/agent/debug_pages.ts";
import type { AdvertisedContent } from "../../lib/observability/debug/debug_source.ts";
import { RequestRing } from "../../lib/observability/debug/request_ring.ts";
import { Traffic } from "../../lib/observability/debug/traffic.ts";
import { Advertiser } from "../../lib/advertiser/advertiser.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { registryHost } from "../../lib/config/types.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { createReferenceFilter } from "../../lib/oci/filter.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import type { Cancellable, StoreEvent } from "../../lib/ports.ts";
import { createRegistryApp } from "../../lib/registry/registry_app.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";
import { MemoryRouter } from "../fakes/router.ts";
import { FakeMirror } from "../registry/setup.ts";
import type { WatcherFixture } from "../store/conformance.ts";
import { digestOf } from "../store/digest_of.ts";
import { type ContainerdFixture, containerdFixture, ociLayoutFixture } from "../store/fixtures.ts";
import { putImage, sampleImage } from "../store/sample_image.ts";
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
    for (const [flags, tags, digests] of CASES) {
      await t.step(flags.join(" ") || "no flags", async () => {
        await using fixture = await open();
        await using node = await TestNode.start(fixture, flags);
        if ("fake" in fixture) await node.repeatContent(fixture as ContainerdFixture);
        for (const surface of node.surfaces) {
          for (const image of node.images) {
            const seen = `${surface.name}: ${image.name}`;
            assert.equal(await surface.shows(image, "tag"), tags.includes(image.name), seen);
            for (const digest of image.digests) {
              const what = `${seen} by digest`;
              assert.equal(await surface.shows(image, digest), digests.includes(image.name), what);
            }
          }
        }
        node.checkMirror();
      });
    }
  });
}

/** The parts that a filter goes through, joined as the agent joins them. */
class TestNode implements AsyncDisposable {
  readonly images: HeldImage[] = [];
  readonly surfaces: readonly Surface[];
  readonly #fixture: WatcherFixture;
  readonly #router = new MemoryRouter();
  readonly #mirror = new FakeMirror();
  readonly #stop = new AbortController();
  /** Events that the advertiser is done with. */
  readonly #handled: StoreEvent[] = [];
  readonly #advertising: Promise<void>;

  private constructor(fixture: WatcherFixture, flags: readonly string[]) {
    this.#fixture = fixture;
    const config = parseConfig({ command: "agent", args: flags, env: {}, readFile: () => "" });
    const filter = createReferenceFilter({
      ...config,
      mirroredRegistries: config.mirroredRegistries.map(registryHost),
    });
    const { store } = fixture;
    const shared = { store, log: new MemoryLog(), metrics: memoryMetrics(), clock: systemClock };
    const watcher = { watch: (options: Cancellable) => this.#follow(options) };
    const advertiser = new Advertiser({ ...shared, watcher, router: this.#router, filter });
    const { app } = createRegistryApp(
      { ...shared, mirror: this.#mirror, router: this.#router },
      { filter },
    );
    this.#advertising = advertiser.run(this.#stop);
    this.surfaces = [
      requests("requests of containerd", app, {}),
      requests("requests of peers", app, { "x-spegel-mirrored": "true" }),
      {
        name: "advertisements",
        shows: ({ name }, what) =>
          Promise.resolve(this.#router.advertised.has(what === "tag" ? name : what)),
      },
      debugPage(createDebugPages({
        ...shared,
        config,
        filter,
        advertiser,
        router: Object.assign(this.#router, { id: "self" }),
        mirror: Object.assign(this.#mirror, { health: () => [] }),
        traffic: new Traffic(),
        requests: new RequestRing(),
        topology: () => undefined,
        conditions: () => [],
        checks: () => Promise.resolve([]),
      })),
    ];
  }

  /** Some images are there at the start, the others come with events. */
  static async start(fixture: WatcherFixture, flags: readonly string[]): Promise<TestNode> {
    const early: HeldImage[] = [];
    for (const name of NAMES.slice(0, 2)) early.push(await hold(fixture, name));
    const node = new TestNode(fixture, flags);
    node.images.push(...early);
    await node.#until("the first look", ({ type }) => type === "sync");
    for (const name of NAMES.slice(2)) node.images.push(await hold(fixture, name));
    for (const { name, digests } of node.images) {
      await node.#until(name, (event) => {
        const images = event.type === "sync"
          ? event.images
          : event.type === "image"
          ? [event.image]
          : [];
        return images.some((image) =>
          image.name === name && digests.every((digest) => image.present.includes(digest))
        );
      });
    }
    return node;
  }

  /** Content arrives once more, as the parts of another image would: labelled, without a name. */
  async repeatContent(fixture: ContainerdFixture): Promise<void> {
    for (const image of this.images) {
      const before = this.#handled.length;
      await holdContent(fixture, image.name);
      for (const digest of image.digests) {
        await this.#until(
          `content of ${image.name}`,
          (event, at) => at >= before && event.type === "content" && event.digest === digest,
        );
      }
    }
  }

  /** What is filtered must not be asked of peers either. */
  checkMirror(): void {
    assert.deepEqual(this.#mirror.requests, [], "all that is not filtered is held here");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#advertising;
  }

  async *#follow(options: Cancellable): AsyncGenerator<StoreEvent> {
    for await (const event of this.#fixture.watcher.watch(options)) {
      yield event;
      this.#handled.push(event);
    }
  }

  async #until(what: string, fits: (event: StoreEvent, at: number) => boolean): Promise<void> {
    using limit = deadline(20_000);
    while (!this.#handled.some(fits)) {
      if (limit.signal.aborted) throw new Error(`no event of ${what}`);
      await this.#fixture.clock?.advance(50);
    }
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
