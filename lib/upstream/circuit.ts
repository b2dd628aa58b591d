import type { Clock } from "../ports/clock.ts";

export interface CircuitOptions {
  /** Consecutive failures that open a registry's circuit; default 2. */
  readonly threshold?: number;
  /** First and longest time for which it stays open, ms; default 5,000 and 60,000. */
  readonly baseMs?: number;
  readonly maxMs?: number;
}

/** How a request may proceed. */
export type CircuitState =
  /** Ask, and wait for the answer. */
  | "closed"
  /** Ask in the background, without making the caller wait: it failed recently. */
  | "probe"
  /** Do not ask. */
  | "open";

interface State {
  failures: number;
  delayMs: number;
  until: number;
  probing: boolean;
}

/** Registries whose state is kept. */
const MAX_TRACKED = 1024;

/**
 * A circuit breaker per registry, so that a node without internet access does not wait for the
 * deadline with every pull. While the circuit is open no pull waits for it; after a while one request at a
 * time probes the registry in the background, and the first success closes the circuit.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #options: Required<CircuitOptions>;
  readonly #states = new Map<string, State>();

  constructor(clock: Clock, options: CircuitOptions = {}) {
    this.#clock = clock;
    this.#options = { threshold: 2, baseMs: 5_000, maxMs: 60_000, ...options };
  }

  /** Returns how a request may proceed; after `probe` or `closed` the caller reports the result. */
  enter(registry: string): CircuitState {
    const state = this.#states.get(registry);
    if (state === undefined || state.until === 0) return "closed";
    if (this.#clock.now() < state.until || state.probing) return "open";
    state.probing = true;
    return "probe";
  }

  succeeded(registry: string): void {
    this.#states.delete(registry);
  }

  /** Records that the registry missed the deadline or answered with a server error. */
  failed(registry: string): void {
    const { threshold, baseMs, maxMs } = this.#options;
    const state = this.#stateOf(registry);
    state.probing = false;
    if (++state.failures < threshold) return;
    state.delayMs = Math.min(Math.max(state.delayMs * 2, baseMs), maxMs);
    state.until = this.#clock.now() + state.delayMs;
  }

  /** Records that the caller left before the answer, which says nothing about the registry. */
  abandoned(registry: string): void {
    const state = this.#states.get(registry);
    if (state !== undefined) state.probing = false;
  }

  /** Records that the registry rate-limits this node (429, RFC 6585) for some time, ms. */
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
