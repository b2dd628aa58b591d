/** Settings of {@link ProgressWatch}. */
export interface ProgressOptions {
  /** Waiting for more than a trickle this long is a stall, ms. */
  readonly stallWindowMs: number;
  /** Span of waiting over which speed is judged, ms. */
  readonly slowWindowMs: number;
  /** A lower speed is slow. */
  readonly minBytesPerSecond: number;
  /** Waiting for more than a trickle this long is the end, ms. */
  readonly giveUpMs: number;
}

/** `fine`, or what is wrong with a transfer. */
export type Progress = "fine" | "slow" | "stalled" | "dead";

/** A slower trickle counts as nothing: waiting goes on. */
const ALIVE_BYTES_PER_SECOND = 1024;

interface Span {
  waitedMs: number;
  bytes: number;
}

/**
 * Judges the progress of a transfer. Only time in which bytes are waited for counts, not time in
 * which the client does not read. A pause of this process counts for little.
 */
export class ProgressWatch {
  readonly #options: ProgressOptions;
  /** How often `check` is to be called, ms. */
  readonly tickMs: number;
  #spans: Span[] = [{ waitedMs: 0, bytes: 0 }];
  #waitingSince: number | undefined;
  /** Waited since the last bytes, and since there were enough of them. */
  #waitedMs = 0;
  #idleMs = 0;
  #trickledBytes = 0;
  #stallAtMs: number;
  #patienceMs = 0;
  #renewed = false;
  #pardonMs = 0;
  #pardonLeftMs = 0;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.tickMs = Math.max(options.stallWindowMs / 10, 1);
    this.#stallAtMs = options.stallWindowMs;
  }

  /** Waiting for bytes begins. */
  wait(now: number): void {
    this.#waitingSince ??= now;
  }

  /** Waiting ends without bytes. */
  rest(now: number): void {
    this.#account(now);
    this.#waitingSince = undefined;
  }

  /** Bytes arrived. Returns the milliseconds that they were waited for. */
  arrived(now: number, bytes: number): number {
    this.rest(now);
    const waitedMs = this.#waitedMs;
    this.#waitedMs = 0;
    this.#trickledBytes += bytes;
    if (this.#trickledBytes * 1000 >= ALIVE_BYTES_PER_SECOND * this.#idleMs) {
      this.#idleMs = 0;
      this.#renewed = false;
      this.#trickledBytes = 0;
      this.#stallAtMs = this.#options.stallWindowMs;
    }
    const current = this.#spans.at(-1);
    if (current !== undefined) current.bytes += bytes;
    return waitedMs;
  }

  /** Waits this much longer for bytes than the options say, ms, from now on. */
  beMorePatient(patienceMs: number): void {
    this.#patienceMs = patienceMs;
  }

  /**
   * The transfer goes on, from the same peer or another; the next verdict takes a whole window
   * again.
   *
   * @param afresh so does the end, but not a second time before bytes arrive again.
   */
  renew(afresh = false): void {
    this.#spans = [{ waitedMs: 0, bytes: 0 }];
    if (afresh && !this.#renewed) {
      this.#renewed = true;
      this.#idleMs = 0;
    }
    this.#stallAtMs = this.#idleMs + this.#options.stallWindowMs;
  }

  /** After each verdict `slow` the next one takes longer: the bottleneck may be on this side. */
  forgiveSlowness(): void {
    this.#pardonMs = Math.max(2 * this.#pardonMs, this.#options.slowWindowMs);
    this.#pardonLeftMs = this.#pardonMs;
  }

  /** Judges the progress now; to be called every `tickMs`. */
  check(now: number): Progress {
    this.#account(now);
    if (this.#waitingSince === undefined) return "fine";
    const idleMs = this.#idleMs - this.#patienceMs;
    if (idleMs >= this.#options.giveUpMs) return "dead";
    if (idleMs >= this.#stallAtMs) return "stalled";
    return this.#isSlow() ? "slow" : "fine";
  }

  #isSlow(): boolean {
    const { minBytesPerSecond } = this.#options;
    const slowWindowMs = this.#options.slowWindowMs + this.#patienceMs;
    const total = { waitedMs: 0, bytes: 0 };
    for (const span of this.#spans) {
      total.waitedMs += span.waitedMs;
      total.bytes += span.bytes;
    }
    this.#spans.push({ waitedMs: 0, bytes: 0 });
    for (let first = this.#spans[0]; first !== undefined; first = this.#spans[0]) {
      if (total.waitedMs - first.waitedMs < slowWindowMs || this.#spans.length === 1) break;
      total.waitedMs -= first.waitedMs;
      total.bytes -= first.bytes;
      this.#spans.shift();
    }
    return this.#pardonLeftMs <= 0 && total.waitedMs >= slowWindowMs &&
      total.bytes * 1000 < minBytesPerSecond * total.waitedMs;
  }

  #account(now: number): void {
    if (this.#waitingSince === undefined) return;
    const elapsedMs = Math.min(Math.max(now - this.#waitingSince, 0), 2 * this.tickMs);
    this.#waitingSince = now;
    this.#waitedMs += elapsedMs;
    this.#idleMs += elapsedMs;
    this.#pardonLeftMs -= elapsedMs;
    const current = this.#spans.at(-1);
    if (current !== undefined) current.waitedMs += elapsedMs;
  }
}
