import { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Evidence } from "./evidence.ts";

/** Contents that are remembered. */
const MAX_CONTENTS = 1000;
/** Of so many it is kept who sent what. */
const MAX_EVIDENCE = 32;
/** For so long: the pauses of a kubelet between its attempts grow to 5 minutes, ms. */
const KEPT_MS = 10 * 60_000;
/** What a client asks for again so soon it asks for in the same attempt, ms. */
const ATTEMPT_MS = 3000;

interface Taint {
  /** Whether bytes are known to have been wrong, or to have broken off. */
  isSure: boolean;
  /** When upstream was first given the chance to deliver all of it, and to deliver a part. */
  readonly leftAt: { whole?: number; part?: number };
  /** Where the first part begins that was passed on unverified, and since when that is so. */
  first?: { readonly start: number; readonly at: number };
}

/**
 * Content of which the client may have got wrong bytes: a body that was passed on before it could be
 * verified came out wrong, or broke off, or was a part that nobody here can verify. Nothing of it is
 * passed on any more unless it has been verified as a whole, or upstream has had its chance to
 * deliver it, until the client has got all of it.
 */
export class Tainted {
  readonly #clock: Pick<Clock, "now">;
  readonly #evidence = new LRUCache<Digest, Evidence>({ max: MAX_EVIDENCE });
  readonly #contents: LRUCache<Digest, Taint>;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#contents = expiringCache(clock, { max: MAX_CONTENTS, ttlMs: KEPT_MS });
  }

  /** A body came out wrong, or broke off, after a part of it was passed on. */
  add(digest: Digest, evidence?: Evidence): void {
    this.#contents.set(digest, { isSure: true, leftAt: {} });
    if (evidence !== undefined) this.#evidence.set(digest, evidence);
  }

  /**
   * A part is passed on that nobody here can verify.
   *
   * @param start where it begins.
   */
  addPart(digest: Digest, start: number): void {
    const taint = this.#findOrAdd(digest);
    if (start < (taint.first?.start ?? Infinity)) {
      taint.first = { start, at: this.#clock.now() };
    }
  }

  /** Who sends it is suspect. */
  addSuspect(digest: Digest): void {
    this.#findOrAdd(digest);
  }

  /** What there is against those who sent it wrong, once. */
  evidence(digest: Digest): Evidence | undefined {
    const evidence = this.#evidence.get(digest);
    this.#evidence.delete(digest);
    return evidence;
  }

  /** All of it was passed on, and is right. */
  clear(digest: Digest): void {
    this.#contents.delete(digest);
  }

  /**
   * Whether to pass it on only once it has been verified.
   *
   * @param start where the part begins that is asked for; undefined for the whole. After other parts
   * a part says nothing, but whoever asks for the whole, or begins anew with the same part an attempt
   * later, as a runtime does that gets blobs in parts, did not get on with what it got.
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
   * Whether it is upstream's turn: true in one attempt of the client, after which it gets again what
   * peers have: then upstream had nothing.
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
