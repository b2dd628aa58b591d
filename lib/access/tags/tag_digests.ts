import { LRUCache } from "lru-cache";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";

const MAX_TAGS = 10_000;

/** What upstream said that tags point to, for a while. */
export class TagDigests {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #kept = new LRUCache<string, { readonly digest: Digest; readonly until: number }>({
    max: MAX_TAGS,
  });

  constructor(clock: Clock, ttlMs: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  /** The digest of `registry/repository:tag`; undefined if upstream must be asked. */
  get(name: string): Digest | undefined {
    const kept = this.#kept.get(name);
    return kept !== undefined && kept.until > this.#clock.now() ? kept.digest : undefined;
  }

  set(name: string, digest: Digest): void {
    this.#kept.set(name, { digest, until: this.#clock.now() + this.#ttlMs });
  }
}
