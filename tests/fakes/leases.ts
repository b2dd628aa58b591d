import type { Digest } from "../../lib/oci/digest.ts";
import type { Cancellable } from "../../lib/ports/cancellable.ts";
import type { Leases, Wanted } from "../../lib/ports/leases.ts";

/** Leases in memory; those made by {@link MemoryLeases.another} share what they keep. */
export class MemoryLeases implements Leases {
  readonly lifetimeMs = 60 * 60_000;
  /** Set to make every call fail. */
  failing = false;
  /** Each digest, with the time at which it is kept no longer. */
  readonly kept: Map<Digest, number>;
  readonly #now: () => number;
  /** How often something ended by itself or for all agents, for them all. */
  readonly #ends: { count: number };
  #seenEnds: number;

  constructor(now: () => number, kept = new Map<Digest, number>(), ends = { count: 0 }) {
    this.#now = now;
    this.kept = kept;
    this.#ends = ends;
    this.#seenEnds = ends.count;
  }

  /** The leases of another agent of the same node. */
  another(): MemoryLeases {
    return new MemoryLeases(this.#now, this.kept, this.#ends);
  }

  async keep(digest: Digest, options: Cancellable): Promise<void> {
    await this.#called(options);
    this.kept.set(digest, this.#now() + this.lifetimeMs);
  }

  async release(digest: Digest, options: Cancellable): Promise<void> {
    await this.#called(options);
    this.kept.delete(digest);
  }

  async renew(
    { added, recorded }: Wanted,
    options: Cancellable,
  ): Promise<ReadonlySet<Digest>> {
    await this.#called(options);
    const wanted = this.#seenEnds === this.#ends.count ? added : [...added, ...recorded];
    this.#seenEnds = this.#ends.count;
    for (const digest of [...this.kept.keys(), ...wanted]) {
      this.kept.set(digest, this.#now() + this.lifetimeMs);
    }
    return new Set(this.kept.keys());
  }

  async end(options: Cancellable): Promise<readonly string[]> {
    await this.#called(options);
    const names = this.kept.size > 0 ? ["memory"] : [];
    this.kept.clear();
    this.#ends.count++;
    return names;
  }

  async #called({ signal }: Cancellable): Promise<void> {
    await Promise.resolve();
    signal.throwIfAborted();
    if (this.failing) throw new Error("the store does not answer");
    for (const [digest, until] of this.kept) {
      if (until > this.#now()) continue;
      this.kept.delete(digest);
      this.#ends.count++;
    }
  }
}
