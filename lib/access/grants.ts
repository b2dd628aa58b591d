import { LRUCache } from "lru-cache";
import { createCredentialsHash, type Credentials } from "../oci/credentials.ts";
import type { Clock } from "../ports/clock.ts";

/** Pairs of credentials and repository that are remembered. */
const MAX_GRANTS = 10_000;
/** How long a grant may be used while upstream cannot be asked. */
const OFFLINE_MS = 24 * 3600_000;

/**
 * Remembers which credentials upstream accepted for which repository: in memory, and without the
 * credentials themselves.
 */
export class Grants {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #hash = createCredentialsHash();
  readonly #at = new LRUCache<string, number>({ max: MAX_GRANTS });

  constructor(clock: Clock, ttlMs: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  /** Upstream has just accepted these credentials. */
  add(credentials: Credentials, repository: string): void {
    this.#at.set(this.#key(credentials, repository), this.#clock.now());
  }

  /** Upstream has just refused them. */
  remove(credentials: Credentials, repository: string): void {
    this.#at.delete(this.#key(credentials, repository));
  }

  /** Tells whether they were accepted so recently that upstream need not be asked. */
  isValid(credentials: Credentials, repository: string): boolean {
    return this.#age(credentials, repository) < this.#ttlMs;
  }

  /** Tells whether they were accepted within the last 24 hours. */
  wasValid(credentials: Credentials, repository: string): boolean {
    return this.#age(credentials, repository) < OFFLINE_MS;
  }

  #age(credentials: Credentials, repository: string): number {
    const at = this.#at.get(this.#key(credentials, repository));
    return at === undefined ? Infinity : this.#clock.now() - at;
  }

  #key(credentials: Credentials, repository: string): string {
    return `${this.#hash(credentials)} ${repository}`;
  }
}
