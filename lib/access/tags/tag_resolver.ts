import type { LRUCache } from "lru-cache";
import { deadline } from "../../async/deadline.ts";
import { expiringCache } from "../../async/expiring_cache.ts";
import { SingleFlight } from "../../async/single_flight.ts";
import type { Digest } from "../../oci/digest.ts";
import { byDigest, type DistributionPath } from "../../oci/path.ts";
import { formatReference } from "../../oci/reference.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Mirror } from "../../ports/mirror.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Store } from "../../ports/store.ts";
import type { Tags } from "../../ports/tags.ts";

/** Tags that are remembered. */
const MAX_TAGS = 1000;
/** How long the answers of nodes about a tag hold, ms: they are not asked for each request. */
const NEWEST_TTL_MS = 5000;
/** How often nodes are compared with upstream, for each tag, ms. */
const COMPARE_EVERY_MS = 30_000;
/** Time for that, in the background, ms. */
const COMPARE_LIMIT_MS = 5000;
/** Clocks of nodes may differ by so much; a record from later than that proves nothing, ms. */
const CLOCK_TOLERANCE_MS = 60_000;

/** What {@link TagResolver} works with. */
export interface TagResolverCollaborators extends Runtime {
  readonly store: Pick<Store, "resolve" | "updatedAt">;
  readonly mirror: Pick<Mirror, "fetch" | "tagAnswers">;
  /** Time of day, ms since 1970; default the system's. */
  readonly today?: () => number;
}

/**
 * Decides which content a tag means.
 *
 * A tag means what upstream says, as long as upstream can be asked. Otherwise it means the newest
 * content that this node and the peers that it believes have for it. A peer is believed if it proves
 * that it belongs to the cluster; where nodes have neither a key nor certificates, it is believed at
 * the addresses that the bootstrap source names (docs/adr/0015-whose-word-on-a-tag.md).
 *
 * The mirror asks only peers that are believed.
 */
export class TagResolver implements Tags {
  readonly #collaborators: TagResolverCollaborators;
  readonly #today: () => number;
  readonly #flights = new SingleFlight<Digest | undefined>();
  readonly #newest: LRUCache<string, { readonly digest: Digest | undefined }>;
  /** Tags that were compared a short while ago. */
  readonly #compared: LRUCache<string, true>;

  constructor(collaborators: TagResolverCollaborators) {
    this.#collaborators = collaborators;
    const { clock } = collaborators;
    this.#newest = expiringCache(clock, { max: MAX_TAGS, ttlMs: NEWEST_TTL_MS });
    this.#compared = expiringCache(clock, { max: MAX_TAGS, ttlMs: COMPARE_EVERY_MS });
    this.#today = collaborators.today ?? Date.now;
  }

  /** {@inheritDoc Tags.resolve} */
  async resolve(
    path: DistributionPath,
    upstream: Digest | undefined,
    options: Cancellable,
  ): Promise<DistributionPath> {
    if (path.reference.tag === undefined) return path;
    const name = formatReference(path.reference);
    if (upstream === undefined) {
      const newest = await this.#newestOf(name, path, options);
      return newest === undefined ? path : byDigest(path, newest);
    }
    const { store, metrics } = this.#collaborators;
    const own = await store.resolve(name, options).catch(() => undefined);
    if (own !== undefined && own !== upstream) metrics.staleTag();
    this.#compare(name, path, upstream);
    return byDigest(path, upstream);
  }

  /** Counts, in the background, peers that have another digest for a tag than upstream. */
  #compare(name: string, path: DistributionPath, upstream: Digest): void {
    const { mirror, metrics, log } = this.#collaborators;
    if (mirror.tagAnswers === undefined || this.#compared.has(name)) return;
    this.#compared.set(name, true);
    const limit = deadline(COMPARE_LIMIT_MS);
    mirror.tagAnswers(path, limit).then((answers) => {
      for (const { digest, peer } of answers) {
        if (digest === upstream) continue;
        metrics.staleTag();
        log.debug("a peer has another digest for a tag than upstream", { name, peer });
      }
    }).catch((error) => log.debug("peers could not be asked about a tag", { name, error }))
      .finally(() => limit[Symbol.dispose]());
  }

  /** Undefined if the tag's own path leads to the newest content. Peers have a moment to answer. */
  async #newestOf(
    name: string,
    path: DistributionPath,
    options: Cancellable,
  ): Promise<Digest | undefined> {
    const kept = this.#newest.get(name);
    return kept !== undefined
      ? kept.digest
      : await this.#flights.run(name, options, (signal) => this.#find(name, path, { signal }));
  }

  async #find(
    name: string,
    path: DistributionPath,
    options: Cancellable,
  ): Promise<Digest | undefined> {
    const { store, mirror } = this.#collaborators;
    const [own, ownTime, answers = []] = await Promise.all([
      store.resolve(name, options).catch(() => undefined),
      store.updatedAt?.(name, options).catch(() => undefined),
      mirror.tagAnswers?.(path, options),
    ]);
    const latest = this.#today() + CLOCK_TOLERANCE_MS;
    const timeOf = (updatedAt = 0) => updatedAt > latest ? 0 : updatedAt;
    const least = own === undefined ? -1 : ownTime ?? Infinity;
    const newer = answers.filter((answer) =>
      answer.digest !== own && timeOf(answer.updatedAt) > least
    ).sort((a, b) => timeOf(b.updatedAt) - timeOf(a.updatedAt)).map((answer) => answer.digest);
    const isDisputed = own !== undefined || new Set(newer).size > 1;
    const digest = isDisputed ? await this.#firstAvailable(path, newer, options) : undefined;
    this.#newest.set(name, { digest });
    return digest;
  }

  /**
   * A tag must not resolve to a digest that no peer then delivers. Private content is left to the
   * tag's own path: without upstream nothing says that the client may have this very digest.
   */
  async #firstAvailable(
    path: DistributionPath,
    digests: readonly Digest[],
    options: Cancellable,
  ): Promise<Digest | undefined> {
    for (const digest of new Set(digests)) {
      const wanted = { ...byDigest(path, digest), method: "HEAD" as const };
      const answer = await this.#collaborators.mirror.fetch(wanted, options);
      if (answer.found && answer.isPrivate !== true) return digest;
    }
    return undefined;
  }
}
