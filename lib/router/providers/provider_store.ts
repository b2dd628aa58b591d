import type { Clock } from "../../ports/clock.ts";

export interface ProviderStoreCollaborators {
  readonly clock: Clock;
  /** Source of randomness in [0, 1) for the order of answers; default `Math.random`. */
  readonly random?: () => number;
}

export interface ProviderStoreOptions {
  /** Lifetime of a record after it was last added, ms. */
  readonly ttlMs: number;
  /** Maximum records in total; above it, the provider with the most records loses some. */
  readonly maxRecords: number;
  /** Maximum records of one provider. */
  readonly maxRecordsPerProvider: number;
  /** Maximum providers of one key; a new one replaces the record nearest to its expiry. */
  readonly maxProvidersPerKey: number;
  /** Maximum providers in one answer. */
  readonly maxAnswer: number;
  /** Longest key, in characters of its base64 form. */
  readonly maxKeyLength: number;
}

/** One provider of one key; a member of the key's list and of the provider's. */
interface StoredRecord<P> {
  readonly key: string;
  readonly holder: Holder<P>;
  /** Expiry by the clock in whole ms: a small integer needs no memory of its own. */
  expiresAt: number;
  nextOfKey: StoredRecord<P> | undefined;
  previousOfHolder: StoredRecord<P> | undefined;
  nextOfHolder: StoredRecord<P> | undefined;
}

interface Holder<P> {
  /** As last added. */
  provider: P;
  newest: StoredRecord<P> | undefined;
  records: number;
}

/** Share of all records that the largest provider loses at once when the store is full. */
const EVICTED_SHARE = 1 / 100;

/**
 * Provider records: which peers announced which key. Records expire when read, are bounded per
 * provider, per key and in total, and are answered in random order to spread load. When the store
 * is full the provider with the most records loses some, so that no number of flooding peers
 * displaces an honest one.
 *
 * The library's own store is a flat list that is scanned on each lookup, never expires and answers
 * everything it has. Lists linked through the records take a third of the memory of nested maps.
 */
export class ProviderStore<P extends { toString(): string }> {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #options: ProviderStoreOptions;
  /** Key → its first record. */
  readonly #keys = new Map<string, StoredRecord<P>>();
  /** Provider's name → its records; only providers with records. */
  readonly #holders = new Map<string, Holder<P>>();
  #records = 0;
  #sweeping: Iterator<StoredRecord<P>> | undefined;

  constructor(collaborators: ProviderStoreCollaborators, options: ProviderStoreOptions) {
    this.#clock = collaborators.clock;
    this.#random = collaborators.random ?? Math.random;
    this.#options = options;
  }

  /** Number of records, including expired ones not yet removed. */
  get size(): number {
    return this.#records;
  }

  /** Adds or renews a record. Returns false if a limit forbids it. */
  add(key: string, provider: P): boolean {
    const { maxKeyLength, maxRecordsPerProvider, maxRecords, ttlMs } = this.#options;
    if (key.length > maxKeyLength) return false;
    const name = provider.toString();
    const expiresAt = Math.round(this.#clock.now() + ttlMs);
    const known = this.#holders.get(name);
    if (known !== undefined) {
      known.provider = provider;
      const record = this.#find(key, known);
      if (record !== undefined) {
        record.expiresAt = expiresAt;
        return true;
      }
      if (known.records >= maxRecordsPerProvider) return false;
    }
    if (this.#records >= maxRecords && !this.#makeRoom(known?.records ?? 0)) return false;
    this.#makeRoomOf(key);
    // Looked up again: making room may have removed it.
    let holder = this.#holders.get(name);
    if (holder === undefined) {
      holder = { provider, newest: undefined, records: 0 };
      this.#holders.set(name, holder);
    }
    this.#link(key, holder, expiresAt);
    return true;
  }

  /** Live providers of a key, in random order, at most `maxAnswer`. */
  get(key: string): P[] {
    const now = this.#clock.now();
    const live: P[] = [];
    for (let record = this.#keys.get(key); record !== undefined; record = record.nextOfKey) {
      if (record.expiresAt > now) live.push(record.holder.provider);
      else this.#unlink(record);
    }
    return this.#sample(live);
  }

  /** Removes a record, if it exists. */
  remove(key: string, provider: P): void {
    const holder = this.#holders.get(provider.toString());
    const record = holder && this.#find(key, holder);
    if (record !== undefined) this.#unlink(record);
  }

  /** Removes all records of a provider, e.g. a dead one. */
  removeProvider(name: string): void {
    const holder = this.#holders.get(name);
    while (holder?.newest !== undefined) this.#unlink(holder.newest);
  }

  /**
   * Removes expired records of at most `maxKeys` keys, continuing where the last call ended.
   * Returns true when all keys have been visited.
   */
  sweep(maxKeys = Infinity): boolean {
    const now = this.#clock.now();
    this.#sweeping ??= this.#keys.values();
    for (let left = maxKeys; left > 0; left--) {
      const { value: first, done } = this.#sweeping.next();
      if (done === true) {
        this.#sweeping = undefined;
        return true;
      }
      for (let record: StoredRecord<P> | undefined = first; record; record = record.nextOfKey) {
        if (record.expiresAt <= now) this.#unlink(record);
      }
    }
    return false;
  }

  #find(key: string, holder: Holder<P>): StoredRecord<P> | undefined {
    let record = this.#keys.get(key);
    while (record !== undefined && record.holder !== holder) record = record.nextOfKey;
    return record;
  }

  /** Evicts records of the largest provider if it has more than the given one. */
  #makeRoom(records: number): boolean {
    let largest: Holder<P> | undefined;
    for (const holder of this.#holders.values()) {
      if (largest === undefined || holder.records > largest.records) largest = holder;
    }
    if (largest === undefined || largest.records <= records + 1) return false;
    const fair = Math.ceil(this.#options.maxRecords * EVICTED_SHARE);
    const count = Math.min(fair, largest.records - records - 1);
    for (let i = 0; i < count && largest.newest !== undefined; i++) this.#unlink(largest.newest);
    return true;
  }

  /** In a full key the record nearest to its expiry is evicted. */
  #makeRoomOf(key: string): void {
    let [count, oldest] = [0, this.#keys.get(key)];
    for (let record = oldest; record !== undefined; record = record.nextOfKey, count++) {
      if (oldest === undefined || record.expiresAt < oldest.expiresAt) oldest = record;
    }
    if (count >= this.#options.maxProvidersPerKey && oldest !== undefined) this.#unlink(oldest);
  }

  #link(key: string, holder: Holder<P>, expiresAt: number): void {
    const record: StoredRecord<P> = {
      key,
      holder,
      expiresAt,
      nextOfKey: this.#keys.get(key),
      previousOfHolder: undefined,
      nextOfHolder: holder.newest,
    };
    if (holder.newest !== undefined) holder.newest.previousOfHolder = record;
    holder.newest = record;
    holder.records++;
    this.#records++;
    this.#keys.set(key, record);
  }

  #unlink(record: StoredRecord<P>): void {
    const { key, holder, nextOfKey, previousOfHolder, nextOfHolder } = record;
    let before = this.#keys.get(key);
    if (before !== record) {
      while (before !== undefined && before.nextOfKey !== record) before = before.nextOfKey;
      if (before !== undefined) before.nextOfKey = nextOfKey;
    } else if (nextOfKey === undefined) this.#keys.delete(key);
    else this.#keys.set(key, nextOfKey);
    if (previousOfHolder === undefined) holder.newest = nextOfHolder;
    else previousOfHolder.nextOfHolder = nextOfHolder;
    if (nextOfHolder !== undefined) nextOfHolder.previousOfHolder = previousOfHolder;
    this.#records--;
    if (--holder.records === 0) this.#holders.delete(holder.provider.toString());
  }

  /** The first `maxAnswer` places of a Fisher-Yates shuffle. */
  #sample(all: P[]): P[] {
    const count = Math.min(all.length, this.#options.maxAnswer);
    for (let i = 0; i < count; i++) {
      const j = i + Math.floor(this.#random() * (all.length - i));
      const [a, b] = [all[i], all[j]];
      if (a !== undefined && b !== undefined) [all[i], all[j]] = [b, a];
    }
    return all.slice(0, count);
  }
}
