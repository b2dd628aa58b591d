import { LRUCache } from "lru-cache";
import { deadline } from "../async/deadline.ts";
import { SingleFlight } from "../async/single_flight.ts";
import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import { formatReference } from "../oci/reference.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Mirror } from "../ports/mirror.ts";
import type { Store } from "../ports/store.ts";

/** Tags that are remembered. */
const MAX_TAGS = 1000;
/** How long what nodes said about a tag holds, ms: they are not asked for each request. */
const NEWEST_TTL_MS = 5000;
/** How often nodes are compared with upstream, for each tag, ms. */
const COMPARE_EVERY_MS = 30_000;
/** Time for that, in the background, ms. */
const COMPARE_LIMIT_MS = 5000;
/** Clocks of nodes may differ by so much; a record of later than that is no proof of anything, ms. */
const CLOCK_TOLERANCE_MS = 60_000;

/** What {@link TagOpinions} works with. */
export interface TagOpinionsCollaborators extends Runtime {
  readonly store: Pick<Store, "resolve" | "updatedAt">;
  readonly mirror: Pick<Mirror, "fetch" | "tagAnswers">;
  /** Time of day, ms since 1970; default the system's. */
  readonly today?: () => number;
}

/** What this node and its peers take a tag for, where upstream does not say, or says otherwise. */
export class TagOpinions {
  readonly #collaborators: TagOpinionsCollaborators;
  readonly #today: () => number;
  readonly #flights = new SingleFlight<Digest | undefined>();
  readonly #newest = new LRUCache<string, { digest: Digest | undefined; until: number }>({
    max: MAX_TAGS,
  });
  readonly #compared = new LRUCache<string, number>({ max: MAX_TAGS });

  constructor(collaborators: TagOpinionsCollaborators) {
    this.#collaborators = collaborators;
    this.#today = collaborators.today ?? Date.now;
  }

  /**
   * The path by digest of the newest that this node and its peers have for a tag, if it is not what
   * the tag's own path leads to anyway. Peers have a moment to answer.
   *
   * @throws the signal's reason when it aborts.
   */
  async newest(path: DistributionPath, options: Cancellable): Promise<DistributionPath> {
    const name = formatReference(path.reference);
    const kept = this.#newest.get(name);
    const digest = kept !== undefined && kept.until > this.#collaborators.clock.now()
      ? kept.digest
      : await this.#flights.run(name, options, (signal) => this.#find(name, path, { signal }));
    return digest === undefined ? path : byDigest(path, digest);
  }

  /** Counts, in the background and now and then, peers that take a tag for something else. */
  compare(path: DistributionPath, digest: Digest): void {
    const { mirror, metrics, clock, log } = this.#collaborators;
    const name = formatReference(path.reference);
    const last = this.#compared.get(name) ?? -Infinity;
    if (mirror.tagAnswers === undefined || clock.now() - last < COMPARE_EVERY_MS) return;
    this.#compared.set(name, clock.now());
    const limit = deadline(COMPARE_LIMIT_MS);
    mirror.tagAnswers(path, limit).then((answers) => {
      const others = answers.filter((answer) => answer.digest !== digest);
      for (const { peer } of others) {
        metrics.staleTag();
        log.debug("a peer has another digest for a tag than upstream", { name, peer });
      }
    }).catch((error) => log.debug("peers could not be asked about a tag", { name, error }))
      .finally(() => limit[Symbol.dispose]());
  }

  async #find(
    name: string,
    path: DistributionPath,
    options: Cancellable,
  ): Promise<Digest | undefined> {
    const { store, mirror, clock } = this.#collaborators;
    const [own, ownTime, answers = []] = await Promise.all([
      store.resolve(name, options).catch(() => undefined),
      store.updatedAt?.(name, options).catch(() => undefined),
      mirror.tagAnswers?.(path, options),
    ]);
    const latest = this.#today() + CLOCK_TOLERANCE_MS;
    const timeOf = (updatedAt = 0) => updatedAt > latest ? 0 : updatedAt;
    const least = own === undefined ? -1 : ownTime ?? Infinity;
    const better = answers.filter((answer) =>
      answer.digest !== own && timeOf(answer.updatedAt) > least
    ).sort((a, b) => timeOf(b.updatedAt) - timeOf(a.updatedAt)).map((answer) => answer.digest);
    const isDisputed = own !== undefined || new Set(better).size > 1;
    const digest = isDisputed ? await this.#firstThatIsThere(path, better, options) : undefined;
    this.#newest.set(name, { digest, until: clock.now() + NEWEST_TTL_MS });
    return digest;
  }

  /**
   * A tag must not resolve to a digest that then cannot be had. What is private is left to the tag's
   * own path: without upstream nobody could say that a client may have this very digest.
   */
  async #firstThatIsThere(
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

function byDigest(path: DistributionPath, digest: Digest): DistributionPath {
  const { registry, repository } = path.reference;
  return { ...path, reference: { registry, repository, digest } };
}
