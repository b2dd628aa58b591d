import type { UpstreamTrouble } from "../ports/access.ts";
import type { Clock } from "../ports/clock.ts";

export interface CircuitOptions {
  /** Consecutive failures that open a server's circuit; default 2. */
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
  /** The last failure. */
  last: UpstreamTrouble | undefined;
  delayMs: number;
  until: number;
  probing: boolean;
}

/** Maximum servers with a state. */
const MAX_TRACKED = 1024;

/**
 * A circuit breaker per server, so that a node without internet access does not wait for the
 * deadline with every pull. While the circuit is open no pull waits for it; after a while one request at a
 * time probes the server in the background, and the first success closes the circuit.
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
  enter(server: string): CircuitState {
    const state = this.#states.get(server);
    if (state === undefined || state.until === 0) return "closed";
    if (this.#clock.now() < state.until || state.probing) return "open";
    state.probing = true;
    return "probe";
  }

  /** The server's last failure; undefined if there was none. */
  lastTrouble(server: string): UpstreamTrouble | undefined {
    return this.#states.get(server)?.last;
  }

  succeeded(server: string): void {
    this.#states.delete(server);
  }

  /** Records why the server gave no answer. */
  failed(server: string, trouble: UpstreamTrouble): void {
    const { threshold, baseMs, maxMs } = this.#options;
    const state = this.#stateOf(server);
    state.probing = false;
    state.last = trouble;
    if (++state.failures < threshold) return;
    state.delayMs = Math.min(Math.max(state.delayMs * 2, baseMs), maxMs);
    state.until = this.#clock.now() + state.delayMs;
  }

  /** Records that the caller left before the answer, which says nothing about the server. */
  abandoned(server: string): void {
    const state = this.#states.get(server);
    if (state !== undefined) state.probing = false;
  }

  /** Records that the server rate-limits this node (429, RFC 6585) for some time, ms. */
  limited(server: string, forMs: number): void {
    const state = this.#stateOf(server);
    state.probing = false;
    state.last = "limited";
    state.failures = Math.max(state.failures, this.#options.threshold);
    state.until = Math.max(state.until, this.#clock.now() + forMs);
  }

  #stateOf(server: string): State {
    let state = this.#states.get(server);
    if (state === undefined) {
      state = { failures: 0, last: undefined, delayMs: 0, until: 0, probing: false };
      const [oldest] = this.#states.keys();
      if (this.#states.size >= MAX_TRACKED && oldest !== undefined) this.#states.delete(oldest);
      this.#states.set(server, state);
    }
    return state;
  }
}
