import { LRUCache } from "lru-cache";
import type { Reference } from "../oci/reference.ts";
import type { Clock } from "../ports.ts";

/** What is known of who may pull from a repository. */
export type Visibility = "public" | "private" | "unknown";

/** Which repositories are private. */
export interface PrivateImages {
  /** Find out by asking upstream as anybody might. */
  readonly auto: boolean;
  /** `registry/repository` with `*` for any characters: private without a question. */
  readonly patterns: readonly string[];
}

interface Known {
  readonly visibility: "public" | "private";
  readonly at: number;
}

/** Repositories that are remembered. */
const MAX_REPOSITORIES = 10_000;
/** How long an answer holds. A private repository stays private after that, but is asked about. */
const FRESH_MS = 600_000;

/** Knows which repositories are private: by patterns, and by what upstream said. */
export class Repositories {
  readonly #clock: Clock;
  readonly #auto: boolean;
  readonly #patterns: readonly RegExp[];
  readonly #known = new LRUCache<string, Known>({ max: MAX_REPOSITORIES });
  #revision = 0;

  constructor(clock: Clock, { auto, patterns }: PrivateImages) {
    this.#clock = clock;
    this.#auto = auto;
    this.#patterns = patterns.map(toRegExp);
  }

  /** Grows whenever the list of private repositories changes. */
  get revision(): number {
    return this.#revision;
  }

  /** What is known of a repository, named as {@link repositoryName} does. */
  visibility(name: string): Visibility {
    if (this.#patterns.some((pattern) => pattern.test(name))) return "private";
    if (!this.#auto) return "public";
    const known = this.#known.get(name);
    if (known === undefined) return "unknown";
    return known.visibility === "private" || this.#isFresh(known) ? known.visibility : "unknown";
  }

  /** Tells whether it is time to ask again whether a private repository has become public. */
  isDue(name: string): boolean {
    if (!this.#auto || this.#patterns.some((pattern) => pattern.test(name))) return false;
    const known = this.#known.get(name);
    return known === undefined || !this.#isFresh(known);
  }

  /** Notes what upstream said. */
  learn(name: string, visibility: "public" | "private"): void {
    if (!this.#auto) return;
    if ((this.#known.get(name)?.visibility === "private") !== (visibility === "private")) {
      this.#revision++;
    }
    this.#known.set(name, { visibility, at: this.#clock.now() });
  }

  /** Those that upstream said are private. */
  learnedPrivate(): string[] {
    return [...this.#known].flatMap(([name, { visibility }]) =>
      visibility === "private" ? [name] : []
    );
  }

  #isFresh({ at }: Known): boolean {
    return this.#clock.now() - at < FRESH_MS;
  }
}

/** A repository's full name, e.g. `docker.io/library/nginx`. */
export function repositoryName({ registry, repository }: Reference): string {
  return `${registry}/${repository}`;
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\*+/g, ".*");
  return new RegExp(`^${escaped}$`);
}
