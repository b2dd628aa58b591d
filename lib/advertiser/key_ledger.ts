/** Keys that were added or removed by a change of an owner. */
export interface KeyChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Reference-counts keys by owner, so that a layer of two images stays advertised until both are
 * gone.
 */
export class KeyLedger {
  readonly #byOwner = new Map<string, ReadonlySet<string>>();
  readonly #owners = new Map<string, number>();

  /** Keys of all owners. */
  keys(): string[] {
    return [...this.#owners.keys()];
  }

  has(key: string): boolean {
    return this.#owners.has(key);
  }

  /** Owners whose name begins with `prefix`. */
  owners(prefix: string): string[] {
    return [...this.#byOwner.keys()].filter((owner) => owner.startsWith(prefix));
  }

  /** Each owner with its keys. */
  entries(): IterableIterator<[owner: string, keys: ReadonlySet<string>]> {
    return this.#byOwner.entries();
  }

  /** Replaces the keys of an owner; no keys removes it. */
  set(owner: string, keys: Iterable<string>): KeyChange {
    const before = this.#byOwner.get(owner) ?? new Set();
    const after = new Set(keys);
    const added = [...after].filter((key) => !before.has(key) && this.#count(key, 1) === 1);
    const removed = [...before].filter((key) => !after.has(key) && this.#count(key, -1) === 0);
    if (after.size === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, after);
    return { added, removed };
  }

  #count(key: string, by: 1 | -1): number {
    const count = (this.#owners.get(key) ?? 0) + by;
    if (count === 0) this.#owners.delete(key);
    else this.#owners.set(key, count);
    return count;
  }
}
