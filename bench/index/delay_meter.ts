import { type Percentiles, percentiles } from "./statistics.ts";

/** Interval of the timer, ms. */
const STEP_MS = 5;

/** Measures the event loop's delay by how late timers fire. */
export class DelayMeter {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #times: number[] = [];

  start(): void {
    this.#times = [];
    this.#next();
  }

  stop(): Percentiles {
    clearTimeout(this.#timer);
    return percentiles(this.#times);
  }

  #next(): void {
    const due = performance.now() + STEP_MS;
    this.#timer = setTimeout(() => {
      this.#times.push(Math.max(0, performance.now() - due));
      this.#next();
    }, STEP_MS);
  }
}
