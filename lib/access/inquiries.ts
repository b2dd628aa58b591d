import { LRUCache } from "lru-cache";
import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Upstream } from "../ports/access.ts";
import { link } from "../async/link.ts";
import { mapConcurrent } from "../async/map_concurrent.ts";
import { Slots } from "../async/slots.ts";
import type { Knowledge } from "./knowledge.ts";
import type { Claim } from "./held_content.ts";

/** What {@link Inquiries} works with. */
export interface InquiriesCollaborators extends Knowledge, Pick<Runtime, "clock" | "log"> {
  readonly upstream: Upstream;
  readonly metrics: Pick<Metrics, "upstreamRequest">;
}

/** How long a request waits for upstream, ms: nodes wait 400 for each other. */
const WAIT_MS = 250;
/**
 * The most repositories that are asked about for one request, concurrent questions, and waiting
 * ones.
 */
const MAX_CANDIDATES = 4;
const MAX_ACTIVE = 16;
const MAX_WAITING = 128;
/**
 * Registries that are asked concurrently in the background, and the pause between questions, ms.
 */
const CONCURRENCY = 2;
const PAUSE_MS = 100;
/** The first and the longest delay until a question is repeated that could not be asked, ms. */
const RETRY_MS = 5_000;
const MAX_RETRY_MS = 60_000;
/**
 * The delay until a question is repeated whose answer decided nothing, ms: for a request, and in
 * the background.
 */
const AGAIN_MS = 600_000;
const AGAIN_LATER_MS = 3_600_000;
const MAX_TRIED = 20_000;

type Outcome = "answered" | "unavailable";

/**
 * Asks upstream, without credentials, about content that this node holds and about which no local
 * client has made it ask. It asks only about names under which it knows the content itself, each
 * once in a while. So no outsider can make it ask about invented names.
 */
export class Inquiries {
  readonly #with: InquiriesCollaborators;
  readonly #closing = new AbortController();
  readonly #slots = new Slots(MAX_ACTIVE);
  /** Questions under way or waiting. */
  readonly #flights = new Map<string, Promise<Outcome>>();
  /** By question: until when it is not repeated, and how long that delay was. */
  readonly #tried = new LRUCache<string, { readonly until: number; readonly waitMs: number }>({
    max: MAX_TRIED,
  });
  #woken = Promise.withResolvers<void>();

  constructor(collaborators: InquiriesCollaborators) {
    this.#with = collaborators;
  }

  /**
   * Finds out for a request whether its content is public. Does not reject.
   *
   * @returns undefined if there is nothing to ask now; else resolves when the answer is known or
   * has taken too long. The questions go on.
   */
  settle(
    path: DistributionPath,
    digest: Digest,
    claims: readonly Claim[],
  ): Promise<void> | undefined {
    const flights: Promise<Outcome>[] = [];
    for (const claim of this.#candidates(digest, claims)) {
      const key = `${claim.name} ${digest}`;
      let flight = this.#flights.get(key);
      if (flight === undefined) {
        if (this.#flights.size >= MAX_ACTIVE + MAX_WAITING) break;
        const questions = this.#questions(path, digest, claim.name);
        flight = this.#begin(key, claim.name, questions, AGAIN_MS);
      }
      flights.push(flight);
    }
    return flights.length === 0 ? undefined : this.#wait(flights);
  }

  /** There may be something to ask about in the background. */
  wake(): void {
    this.#woken.resolve();
  }

  /** Asks in the background about held repositories that are not known, until the signal aborts. */
  async run({ signal }: Cancellable): Promise<void> {
    const { clock } = this.#with;
    signal.addEventListener("abort", () => this.#closing.abort(signal.reason), { once: true });
    while (!signal.aborted) {
      this.#woken = Promise.withResolvers();
      const outcome = await this.#pass(signal);
      using nap = link(signal);
      const waitMs = outcome === "unavailable" ? MAX_RETRY_MS : AGAIN_LATER_MS;
      await Promise.race([this.#woken.promise, clock.sleep(waitMs, nap).catch(() => {})]);
      nap.abort();
    }
  }

  /** The claims whose answer could make the content public, the likeliest first. */
  #candidates(digest: Digest, claims: readonly Claim[]): Claim[] {
    const { repositories } = this.#with;
    const rank = ({ name }: Claim) =>
      repositories.allowsAnonymousPull(name)
        ? 0
        : repositories.visibility(name) === "private"
        ? 2
        : 1;
    const isSettled = ({ name, portless }: Claim) =>
      repositories.isPrivateByPattern(name, { anyPort: portless });
    return claims.filter((claim) => {
      if (isSettled(claim) || !this.#mayTry(`${claim.name} ${digest}`)) return false;
      const isKnown = !repositories.isDueForOutsiders(claim.name);
      return !isKnown || (repositories.allowsAnonymousPull(claim.name) && !claim.proven);
    }).sort((a, b) => rank(a) - rank(b)).slice(0, MAX_CANDIDATES);
  }

  /**
   * The content itself, and its images, if the content alone does not decide whether the repository
   * is public.
   */
  #questions({ kind }: DistributionPath, digest: Digest, name: string): DistributionPath[] {
    const reference = { ...referenceOf(name), digest };
    const { repositories } = this.#with;
    const isKnown = repositories.allowsAnonymousPull(name) && !repositories.isDueForOutsiders(name);
    return [{ kind, reference }, ...(isKnown ? [] : this.#images(name))];
  }

  #images(name: string): DistributionPath[] {
    const { registry, repository } = referenceOf(name);
    const samples = this.#with.content.held.samplesOf(name);
    const digests = samples.map(({ target }) => ({ registry, repository, digest: target }));
    const tags = samples.flatMap(({ reference: { tag } }) =>
      tag === undefined ? [] : [{ registry, repository, tag }]
    );
    return [...digests, ...tags].map((reference) => ({ kind: "manifest", reference }));
  }

  async #wait(flights: readonly Promise<Outcome>[]): Promise<void> {
    const nap = new AbortController();
    const limit = this.#with.clock.sleep(WAIT_MS, nap).catch(() => {});
    await Promise.race([Promise.all(flights), limit]);
    nap.abort();
  }

  #begin(
    key: string,
    name: string,
    questions: readonly DistributionPath[],
    againMs: number,
  ): Promise<Outcome> {
    const { log } = this.#with;
    const flight = this.#slots.run(() => this.#ask(name, questions)).catch((error): Outcome => {
      if (!this.#closing.signal.aborted) log.warn("upstream could not be asked", { name, error });
      return "unavailable";
    }).then((outcome) => {
      this.#noteTried(key, outcome, againMs);
      this.#flights.delete(key);
      return outcome;
    });
    this.#flights.set(key, flight);
    return flight;
  }

  async #ask(name: string, questions: readonly DistributionPath[]): Promise<Outcome> {
    const { upstream, repositories, content, metrics, log } = this.#with;
    for (const path of questions) {
      const answer = await upstream.head(path, this.#closing);
      metrics.upstreamRequest(answer.type === "unavailable" ? answer.reason : answer.type);
      log.debug("upstream was asked about held content", { name, kind: path.kind, ...answer });
      switch (answer.type) {
        case "unavailable":
          return "unavailable";
        case "found":
          repositories.learn(name, "public");
          content.prove(name, path.reference.digest ?? answer.digest);
          return "answered";
        case "denied":
          // Upstream may withhold a part of a repository that is public otherwise.
          if (repositories.isDueForOutsiders(name)) repositories.learn(name, "private");
          return "answered";
      }
    }
    if (repositories.isDueForOutsiders(name)) repositories.revoke(name);
    return "answered";
  }

  async #pass(signal: AbortSignal): Promise<Outcome> {
    const { repositories, clock } = this.#with;
    const byRegistry = Map.groupBy(
      [...repositories.held()].filter((name) => this.#isUnknown(name) && this.#mayTry(name)),
      (name) => referenceOf(name).registry,
    );
    const outcomes = await mapConcurrent([...byRegistry.values()], CONCURRENCY, async (names) => {
      for (const [index, name] of names.entries()) {
        if (index > 0) await clock.sleep(PAUSE_MS, { signal }).catch(() => {});
        if (signal.aborted) return "unavailable";
        // A request may have asked meanwhile.
        if (!this.#isUnknown(name)) continue;
        if (await this.#begin(name, name, this.#images(name), AGAIN_LATER_MS) === "unavailable") {
          return "unavailable";
        }
      }
      return "answered";
    });
    return outcomes.includes("unavailable") ? "unavailable" : "answered";
  }

  #isUnknown(name: string): boolean {
    const { repositories, content } = this.#with;
    return content.held.samplesOf(name).length > 0 && !repositories.allowsAnonymousPull(name) &&
      repositories.visibility(name) !== "private";
  }

  #mayTry(key: string): boolean {
    return (this.#tried.get(key)?.until ?? -Infinity) <= this.#with.clock.now();
  }

  #noteTried(key: string, outcome: Outcome, againMs: number): void {
    const { waitMs: before = RETRY_MS / 2 } = this.#tried.get(key) ?? {};
    const waitMs = outcome === "answered" ? againMs : Math.min(2 * before, MAX_RETRY_MS);
    this.#tried.set(key, { until: this.#with.clock.now() + waitMs, waitMs });
  }
}

function referenceOf(name: string): { readonly registry: string; readonly repository: string } {
  const slash = name.indexOf("/");
  return { registry: name.slice(0, slash), repository: name.slice(slash + 1) };
}
