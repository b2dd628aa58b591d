import { LRUCache } from "lru-cache";
import type { Reference } from "../oci/reference.ts";
import type { Clock } from "../ports/clock.ts";

/** What is known of a repository's visibility, as far as clients of this node are concerned. */
export type Visibility = "public" | "private" | "unknown";

/** Which repositories are private. */
export interface PrivateImages {
  /** True: found out by asking upstream without credentials. */
  readonly auto: boolean;
  /** `registry/repository` with `*` for any characters: private without a question. */
  readonly patterns: readonly string[];
  /**
   * The same for repositories that are public without a question; a private pattern wins. Default
   * none.
   */
  readonly publicPatterns?: readonly string[];
}

/** What is kept across restarts. */
export interface KeptRepositories {
  readonly private: readonly string[];
  /** With how long ago upstream gave something of them to anonymous clients, ms. */
  readonly public: readonly (readonly [name: string, ageMs: number])[];
}

interface Known {
  readonly isPrivate: boolean;
  /** When upstream said so. */
  readonly at: number;
  /**
   * When it last gave something of it to anonymous clients; undefined if it did not, or revoked
   * that.
   */
  readonly givenAt: number | undefined;
  /** It was asked for content that is held here, and gave none of it to anonymous clients. */
  readonly isWithheld?: boolean;
}

/** The most repositories that are remembered because clients of this node asked for them. */
const MAX_ASKED = 10_000;
/**
 * The most repositories that are remembered because their content is held; further ones count among
 * those asked for.
 */
const MAX_HELD = 50_000;
/** How long an answer is fresh. It counts for longer, but is asked again. */
const FRESH_MS = 600_000;

/**
 * Knows which repositories are private: from patterns, and from answers of upstream. A repository
 * whose content is held here is never forgotten because clients ask for others: those are
 * remembered apart, and are unknown once they are forgotten. About 100 bytes for each of at most
 * 60,000.
 */
export class Repositories {
  readonly #clock: Clock;
  readonly #auto: boolean;
  readonly #patterns: readonly RegExp[];
  readonly #portlessPatterns: readonly RegExp[];
  readonly #publicPatterns: readonly RegExp[];
  readonly #held = new Map<string, Known | undefined>();
  readonly #asked = new LRUCache<string, Known>({ max: MAX_ASKED });
  #revision = 0;
  /** No repository is private. */
  readonly allPublic: boolean;

  constructor(clock: Clock, { auto, patterns, publicPatterns = [] }: PrivateImages) {
    this.#clock = clock;
    this.#auto = auto;
    this.#patterns = patterns.map(toRegExp);
    this.#portlessPatterns = patterns.map((pattern) => toRegExp(portless(pattern)));
    this.#publicPatterns = publicPatterns.map(toRegExp);
    this.allPublic = patterns.length === 0 &&
      (!auto || publicPatterns.some((pattern) => /^[*/]+$/.test(pattern)));
  }

  /** Grows whenever there is something else to keep across restarts. */
  get revision(): number {
    return this.#revision;
  }

  /** What is known of a repository, named as {@link repositoryName} does. */
  visibility(name: string): Visibility {
    const settled = this.#settled(name);
    if (settled !== undefined) return settled;
    const known = this.#knownOf(name);
    if (known === undefined) return "unknown";
    if (known.isPrivate) return "private";
    return this.#isFresh(known.at) ? "public" : "unknown";
  }

  /**
   * Tells whether upstream lets anonymous clients pull from it, as upstream last said by giving
   * something of it; that upstream has nothing of it does not count. An answer that is no longer
   * fresh counts until there is another.
   */
  allowsAnonymousPull(name: string): boolean {
    const settled = this.#settled(name);
    if (settled !== undefined) return settled === "public";
    return this.#knownOf(name)?.givenAt !== undefined;
  }

  /** Tells whether patterns say that it is private; of a name without its port, with any port. */
  isPrivateByPattern(name: string, { anyPort = false } = {}): boolean {
    return this.#patterns.some((pattern) => pattern.test(name)) ||
      (anyPort && this.#portlessPatterns.some((pattern) => pattern.test(name)));
  }

  /** Tells whether it is time to ask again whether a private repository has become public. */
  isDue(name: string): boolean {
    if (this.#settled(name) !== undefined) return false;
    const known = this.#knownOf(name);
    return known === undefined || !this.#isFresh(known.at);
  }

  /** Tells whether it is time to ask again whether it is public. */
  isDueForOutsiders(name: string): boolean {
    if (this.#settled(name) !== undefined) return false;
    const known = this.#knownOf(name);
    return known === undefined || !this.#isFresh(known.isPrivate ? known.at : known.givenAt);
  }

  /**
   * Notes the answer of upstream to an anonymous question: it gave something, refused, or said
   * openly that it has no such content (`absent`). The latter is no secret of this node's clients,
   * but proves nothing.
   */
  learn(name: string, said: "public" | "private" | "absent"): void {
    if (!this.#auto) return;
    const before = this.#knownOf(name);
    const at = this.#clock.now();
    const kept = before?.isPrivate === true ? undefined : before?.givenAt;
    const givenAt = said === "public" ? at : said === "absent" ? kept : undefined;
    this.#set(name, { isPrivate: said === "private", at, givenAt });
  }

  /** Upstream was asked, and gives nothing of it to anonymous clients any more. */
  revoke(name: string): void {
    const { isPrivate = false, at = -Infinity } = this.#knownOf(name) ?? {};
    this.#set(name, { isPrivate, at, givenAt: undefined, isWithheld: true });
  }

  /**
   * Tells whether upstream, asked for content that is held here, gives none of it to anonymous
   * clients: it was removed, or is hidden. Who may have it is unknown, so clients that may have
   * another repository may not.
   */
  isWithheld(name: string): boolean {
    return this.#settled(name) === undefined && this.#knownOf(name)?.isWithheld === true;
  }

  /** Content of it is held here. */
  hold(name: string): void {
    if (this.#held.has(name) || this.#held.size >= MAX_HELD) return;
    const known = this.#asked.get(name);
    this.#held.set(name, known);
    // Of public repositories only those are kept whose content is held.
    if (this.#asked.delete(name) && known?.givenAt !== undefined) this.#revision++;
  }

  /** Content of exactly these is held here. */
  holdOnly(names: ReadonlySet<string>): void {
    for (const [name, known] of this.#held) {
      if (names.has(name)) continue;
      this.#held.delete(name);
      if (known !== undefined) this.#asked.set(name, known);
    }
    for (const name of names) this.hold(name);
  }

  /** Those of which content is held. */
  held(): Iterable<string> {
    return this.#held.keys();
  }

  /** Adds what was kept. Until it is known which content is held, all of it counts as held. */
  restore(kept: KeptRepositories): void {
    const now = this.#clock.now();
    for (const [name, ageMs] of kept.public) {
      this.hold(name);
      this.#set(name, { isPrivate: false, at: now - ageMs, givenAt: now - ageMs });
    }
    for (const name of kept.private) {
      this.hold(name);
      this.#set(name, { isPrivate: true, at: now, givenAt: undefined });
    }
  }

  /** What to keep: all private repositories, and the public ones whose content is held. */
  kept(): KeptRepositories {
    const now = this.#clock.now();
    const known = [...this.#held, ...this.#asked];
    return {
      private: known.flatMap(([name, known]) => known?.isPrivate === true ? [name] : []),
      public: [...this.#held].flatMap(([name, known]) =>
        known?.givenAt === undefined ? [] : [[name, now - known.givenAt] as const]
      ),
    };
  }

  /** The visibility that is known without a question. */
  #settled(name: string): "public" | "private" | undefined {
    if (this.isPrivateByPattern(name)) return "private";
    if (!this.#auto || this.#publicPatterns.some((pattern) => pattern.test(name))) return "public";
    return undefined;
  }

  #knownOf(name: string): Known | undefined {
    return this.#held.get(name) ?? this.#asked.get(name);
  }

  #set(name: string, known: Known): void {
    const before = this.#knownOf(name);
    const isOther = (before?.isPrivate === true) !== known.isPrivate ||
      (before?.givenAt === undefined) !== (known.givenAt === undefined);
    if (isOther) this.#revision++;
    if (this.#held.has(name)) this.#held.set(name, known);
    else this.#asked.set(name, known);
  }

  #isFresh(at: number | undefined): boolean {
    return at !== undefined && this.#clock.now() - at < FRESH_MS;
  }
}

/** A repository's full name, e.g. `docker.io/library/nginx`. */
export function repositoryName({ registry, repository }: Reference): string {
  return `${registry}/${repository}`;
}

/** A repository's name, or a pattern of names, without its registry's port. */
export function portless(name: string): string {
  return name.replace(/^(\[[^\]]*\]|[^/:]*):[^/]*\//, "$1/");
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\*+/g, ".*");
  return new RegExp(`^${escaped}$`);
}
