import type { Clock } from "../ports/clock.ts";

/** Settings of {@link Circuit}. */
export interface CircuitOptions {
  /** Failures in a row after which a registry is not waited for; default 2. */
  readonly threshold?: number;
  /** First and longest time that it is not waited for, ms; default 5,000 and 60,000. */
  readonly baseMs?: number;
  readonly maxMs?: number;
}

/** What may be done now. */
export type Passage =
  /** Ask, and wait for the answer. */
  | "closed"
  /** Ask, but do not let anyone wait: it failed lately. */
  | "probe"
  /** Do not ask. */
  | "open";

interface State {
  failures: number;
  delayMs: number;
  until: number;
  probing: boolean;
}

/** Registries whose state is remembered. */
const MAX_TRACKED = 1024;

/**
 * A circuit breaker for each registry, so that a node without a way out does not pay the time limit
 * for every pull. While it is open nobody waits; then one request at a time is tried beside, and the
 * first that succeeds closes it.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #options: Required<CircuitOptions>;
  readonly #states = new Map<string, State>();

  constructor(clock: Clock, options: CircuitOptions = {}) {
    this.#clock = clock;
    this.#options = { threshold: 2, baseMs: 5_000, maxMs: 60_000, ...options };
  }

  /** Tells what may be done; whoever gets `probe` or `closed` reports how it went. */
  enter(registry: string): Passage {
    const state = this.#states.get(registry);
    if (state === undefined || state.until === 0) return "closed";
    if (this.#clock.now() < state.until || state.probing) return "open";
    state.probing = true;
    return "probe";
  }

  /** The registry answered. */
  succeeded(registry: string): void {
    this.#states.delete(registry);
  }

  /** It did not answer in time, or failed to do its work. */
  failed(registry: string): void {
    const { threshold, baseMs, maxMs } = this.#options;
    const state = this.#stateOf(registry);
    state.probing = false;
    if (++state.failures < threshold) return;
    state.delayMs = Math.min(Math.max(state.delayMs * 2, baseMs), maxMs);
    state.until = this.#clock.now() + state.delayMs;
  }

  /** Nobody waited for the answer: nothing was learned. */
  abandoned(registry: string): void {
    const state = this.#states.get(registry);
    if (state !== undefined) state.probing = false;
  }

  /** It asked to be left alone for a while (429, RFC 6585), ms. */
  limited(registry: string, forMs: number): void {
    const state = this.#stateOf(registry);
    state.probing = false;
    state.failures = Math.max(state.failures, this.#options.threshold);
    state.until = Math.max(state.until, this.#clock.now() + forMs);
  }

  #stateOf(registry: string): State {
    let state = this.#states.get(registry);
    if (state === undefined) {
      state = { failures: 0, delayMs: 0, until: 0, probing: false };
      const [oldest] = this.#states.keys();
      if (this.#states.size >= MAX_TRACKED && oldest !== undefined) this.#states.delete(oldest);
      this.#states.set(registry, state);
    }
    return state;
  }
}
