import { LRUCache } from "lru-cache";
import type { Digest } from "../../oci/digest.ts";
import type { Runtime } from "../../ports/runtime.ts";

const MAX_TAGS = 10_000;

/** What upstream says that tags point to, remembered for a while, and how often it was asked. */
export class UpstreamTags {
  readonly #runtime: Pick<Runtime, "clock" | "metrics">;
  readonly #ttlMs: number;
  readonly #kept = new LRUCache<string, { readonly digest: Digest; readonly until: number }>({
    max: MAX_TAGS,
  });

  /** @param ttlMs how long an answer of upstream holds, ms. */
  constructor(runtime: Pick<Runtime, "clock" | "metrics">, ttlMs: number) {
    this.#runtime = runtime;
    this.#ttlMs = ttlMs;
  }

  /** The digest of `registry/repository:tag`; undefined if upstream must be asked. */
  get(name: string): Digest | undefined {
    const kept = this.#kept.get(name);
    return kept !== undefined && kept.until > this.#runtime.clock.now() ? kept.digest : undefined;
  }

  /** As `get`, for an answer to a client, which is counted. */
  reuse(name: string): Digest | undefined {
    const digest = this.get(name);
    if (digest !== undefined) this.#runtime.metrics.tagResolved("cache");
    return digest;
  }

  /** Remembers what upstream says just now. */
  set(name: string, digest: Digest): void {
    this.#kept.set(name, { digest, until: this.#runtime.clock.now() + this.#ttlMs });
    this.#runtime.metrics.tagResolved("upstream");
  }

  /** Upstream could not be asked about a tag, which is served nevertheless. */
  missed(): void {
    this.#runtime.metrics.tagResolved("unverified");
  }
}
