import { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Evidence } from "./evidence.ts";

/** The most contents that are remembered. */
const MAX_CONTENTS = 1000;
/** The most contents whose evidence is kept. */
const MAX_EVIDENCE = 32;
/**
 * How long they are remembered, ms: the pauses of a kubelet between its attempts grow to 5 minutes.
 */
const KEPT_MS = 10 * 60_000;
/** Requests of a client within this time belong to one attempt, ms. */
const ATTEMPT_MS = 3000;

interface Taint {
  /** Whether bytes are known to have been wrong, or a body to have broken off. */
  isSure: boolean;
  /** When upstream first had the chance to deliver all of it, and to deliver a part. */
  readonly leftAt: { whole?: number; part?: number };
  /** The offset of the first part that was passed on unverified, and the time of that. */
  first?: { readonly start: number; readonly at: number };
}

/**
 * Content of which the client may have got wrong bytes: a streamed body was wrong or broke off, or
 * was a part, which cannot be verified. Until the client has got all of it, the content is passed
 * on only once it has been verified as a whole, or upstream has had its chance to deliver it.
 */
export class Tainted {
  readonly #clock: Pick<Clock, "now">;
  readonly #evidence = new LRUCache<Digest, Evidence>({ max: MAX_EVIDENCE });
  readonly #contents: LRUCache<Digest, Taint>;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#contents = expiringCache(clock, { max: MAX_CONTENTS, ttlMs: KEPT_MS });
  }

  /** A body was wrong, or broke off, after a part of it was passed on. */
  add(digest: Digest, evidence?: Evidence): void {
    this.#contents.set(digest, { isSure: true, leftAt: {} });
    if (evidence !== undefined) this.#evidence.set(digest, evidence);
  }

  /**
   * A part is passed on, which cannot be verified.
   *
   * @param start its offset.
   */
  addPart(digest: Digest, start: number): void {
    const taint = this.#findOrAdd(digest);
    if (start < (taint.first?.start ?? Infinity)) {
      taint.first = { start, at: this.#clock.now() };
    }
  }

  /** Its sender is suspect. */
  addSuspect(digest: Digest): void {
    this.#findOrAdd(digest);
  }

  /** The evidence against the senders of wrong bytes; returned once. */
  evidence(digest: Digest): Evidence | undefined {
    const evidence = this.#evidence.get(digest);
    this.#evidence.delete(digest);
    return evidence;
  }

  /** All of it was passed on, and matches its digest. */
  clear(digest: Digest): void {
    this.#contents.delete(digest);
  }

  /**
   * Whether it must be verified before it is passed on.
   *
   * @param start the offset of the requested part; undefined for the whole. A request for a further
   * part means nothing. But a client that asks for the whole, or for the first part again in a
   * later attempt, as a runtime does that gets blobs in parts, could not use the bytes that it got.
   */
  has(digest: Digest, start: number | undefined): boolean {
    const taint = this.#contents.get(digest);
    if (taint === undefined) return false;
    const { first } = taint;
    const isAgain = first !== undefined && start === first.start &&
      this.#clock.now() - first.at >= ATTEMPT_MS;
    if (isAgain) taint.isSure = true;
    return taint.isSure || start === undefined;
  }

  /**
   * Whether the content is left to upstream: true during one attempt of the client. If the client
   * asks again after that, upstream did not have it, and it is served from peers.
   */
  isUpstreamsTurn(digest: Digest, isPart: boolean): boolean {
    const taint = this.#contents.get(digest);
    if (taint === undefined) return false;
    const now = this.#clock.now();
    return now - (taint.leftAt[isPart ? "part" : "whole"] ??= now) < ATTEMPT_MS;
  }

  #findOrAdd(digest: Digest): Taint {
    const known = this.#contents.get(digest);
    if (known !== undefined) return known;
    const taint = { isSure: false, leftAt: {} };
    this.#contents.set(digest, taint);
    return taint;
  }
}
