import type { Clock } from "../ports.ts";

/** Collaborators of a {@link ProviderStore}. */
export interface ProviderStoreCollaborators {
  readonly clock: Clock;
  /** Source of chance in [0, 1) for the order of answers; default `Math.random`. */
  readonly random?: () => number;
}

/** Settings of a {@link ProviderStore}. */
export interface ProviderStoreOptions {
  /** How long a record lives after it was last added, ms. */
  readonly ttlMs: number;
  /** Records kept in all. */
  readonly maxRecords: number;
  /** Records kept of one provider. */
  readonly maxRecordsPerProvider: number;
  /** Providers kept of one key; the record nearest to its expiry makes room for a new one. */
  readonly maxProvidersPerKey: number;
  /** Providers in one answer. */
  readonly maxAnswer: number;
  /** Longest key, in characters of its base64 form. */
  readonly maxKeyLength: number;
}

/**
 * Which peers said that they hold which key. Records expire when read, are bounded per provider,
 * per key and in all, and are answered in random order, so that load spreads over the providers.
 *
 * The library's own store is a flat list that is scanned on each lookup, never expires and answers
 * everything it has.
 */
export class ProviderStore<P extends { toString(): string }> {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #options: ProviderStoreOptions;
  /** Key → provider's name → record. */
  readonly #keys = new Map<string, Map<string, { provider: P; expiresAt: number }>>();
  /** Provider's name → keys that it has records of. */
  readonly #providers = new Map<string, Set<string>>();
  #records = 0;

  constructor(collaborators: ProviderStoreCollaborators, options: ProviderStoreOptions) {
    this.#clock = collaborators.clock;
    this.#random = collaborators.random ?? Math.random;
    this.#options = options;
  }

  /** Records that are kept, expired ones that nobody asked for included. */
  get size(): number {
    return this.#records;
  }

  /** Adds or renews a record. Returns false if a limit forbids it. */
  add(key: string, provider: P): boolean {
    if (key.length > this.#options.maxKeyLength) return false;
    const name = provider.toString();
    const expiresAt = this.#clock.now() + this.#options.ttlMs;
    const record = this.#keys.get(key)?.get(name);
    if (record !== undefined) {
      record.expiresAt = expiresAt;
      return true;
    }
    const held = this.#providers.get(name)?.size ?? 0;
    if (held >= this.#options.maxRecordsPerProvider) return false;
    if (this.#records >= this.#options.maxRecords) return false;
    this.#makeRoom(key);
    getOrCreate(this.#keys, key, () => new Map()).set(name, { provider, expiresAt });
    getOrCreate(this.#providers, name, () => new Set()).add(key);
    this.#records++;
    return true;
  }

  /** Live providers of a key, in random order, at most `maxAnswer`. */
  get(key: string): P[] {
    const records = this.#keys.get(key);
    if (records === undefined) return [];
    const now = this.#clock.now();
    const live: P[] = [];
    for (const [name, record] of records) {
      if (record.expiresAt > now) live.push(record.provider);
      else this.#drop(key, name);
    }
    return this.#sample(live);
  }

  /** Removes one record, if there is one. */
  remove(key: string, provider: P): void {
    this.#drop(key, provider.toString());
  }

  /** Removes all records of a provider, e.g. because it is gone. */
  removeProvider(provider: P): void {
    const name = provider.toString();
    for (const key of this.#providers.get(name) ?? []) this.#drop(key, name);
  }

  /** Removes what has expired. Costs time in proportion to all records. */
  sweep(): void {
    const now = this.#clock.now();
    for (const [key, records] of this.#keys) {
      for (const [name, { expiresAt }] of records) if (expiresAt <= now) this.#drop(key, name);
    }
  }

  #makeRoom(key: string): void {
    const records = this.#keys.get(key);
    if (records === undefined || records.size < this.#options.maxProvidersPerKey) return;
    let oldest: { name: string; expiresAt: number } | undefined;
    for (const [name, { expiresAt }] of records) {
      if (oldest === undefined || expiresAt < oldest.expiresAt) oldest = { name, expiresAt };
    }
    if (oldest !== undefined) this.#drop(key, oldest.name);
  }

  #drop(key: string, name: string): void {
    const records = this.#keys.get(key);
    if (records?.delete(name) !== true) return;
    this.#records--;
    if (records.size === 0) this.#keys.delete(key);
    const held = this.#providers.get(name);
    held?.delete(key);
    if (held?.size === 0) this.#providers.delete(name);
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

function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const existing = map.get(key);
  if (existing !== undefined) return existing;
  const created = create();
  map.set(key, created);
  return created;
}
