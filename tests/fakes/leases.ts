import type { Digest } from "../../lib/oci/digest.ts";
import type { Cancellable } from "../../lib/ports/cancellable.ts";
import type { Leases } from "../../lib/ports/leases.ts";

/** Leases in memory; those made by {@link MemoryLeases.another} share what they keep. */
export class MemoryLeases implements Leases {
  readonly lifetimeMs = 60 * 60_000;
  /** Set to make every call fail. */
  failing = false;
  /** Each digest, with the time at which it is kept no longer. */
  readonly kept: Map<Digest, number>;
  readonly #now: () => number;

  constructor(now: () => number, kept = new Map<Digest, number>()) {
    this.#now = now;
    this.kept = kept;
  }

  /** The leases of another agent of the same node. */
  another(): MemoryLeases {
    return new MemoryLeases(this.#now, this.kept);
  }

  async keep(digest: Digest, options: Cancellable): Promise<void> {
    await this.#called(options);
    this.kept.set(digest, this.#now() + this.lifetimeMs);
  }

  async release(digest: Digest, options: Cancellable): Promise<void> {
    await this.#called(options);
    this.kept.delete(digest);
  }

  async renew(wanted: Iterable<Digest>, options: Cancellable): Promise<ReadonlySet<Digest>> {
    await this.#called(options);
    for (const digest of [...this.kept.keys(), ...wanted]) {
      this.kept.set(digest, this.#now() + this.lifetimeMs);
    }
    return new Set(this.kept.keys());
  }

  async end(options: Cancellable): Promise<readonly string[]> {
    await this.#called(options);
    const names = this.kept.size > 0 ? ["memory"] : [];
    this.kept.clear();
    return names;
  }

  async #called({ signal }: Cancellable): Promise<void> {
    await Promise.resolve();
    signal.throwIfAborted();
    if (this.failing) throw new Error("the store does not answer");
    for (const [digest, until] of this.kept) if (until <= this.#now()) this.kept.delete(digest);
  }
}
