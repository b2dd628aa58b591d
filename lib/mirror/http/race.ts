import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import { type Link, link } from "../../async/link.ts";

/** The contenders of a race. */
export interface Contest<C, T> {
  /**
   * The next contender; undefined if there is none now. May wait.
   *
   * @param hedging others are being asked, and may still have it.
   */
  next(signal: AbortSignal, hedging: boolean): Promise<C | undefined>;
  /** Gets the prize; undefined, or a rejection, if this contender has none. */
  ask(contender: C, signal: AbortSignal): Promise<T | undefined>;
  /** Milliseconds after which another contender is asked as well. */
  hedgeMs(contender: C): number;
  /** Takes a prize that came too late. */
  discard(prize: T): void;
  /** Takes back a contender that came too late to be asked. */
  dismiss?(contender: C): void;
}

/** Settings of {@link race}. */
export interface RaceOptions extends Cancellable {
  /** Time for the whole race, ms. */
  readonly budgetMs: number;
  /** Contenders that may fail before no other is asked; read each time. */
  readonly maxLosses: number;
  /** Contenders asked at the same time. */
  readonly maxConcurrent: number;
}

/** How a race ended. */
export type RaceResult<T> =
  | { readonly won: true; readonly prize: T }
  | { readonly won: false; readonly late: boolean };

/** How often contenders are looked for while those that were asked are silent, ms. */
const REDRAW_MS = 50;

/** Reason with which contenders are aborted: another was faster (`lost`) or time ran out (`late`). */
export class RaceOver extends Error {
  override readonly name = "RaceOver";

  constructor(readonly why: "lost" | "late") {
    super(why === "lost" ? "another answered first" : "no answer in time");
  }
}

/**
 * Asks contenders one after the other: the next as soon as one fails, or when all that were asked
 * take longer than usual. The first prize wins and all others are aborted.
 *
 * @throws the signal's reason when it aborts.
 */
export function race<C, T>(
  contest: Contest<C, T>,
  clock: Clock,
  options: RaceOptions,
): Promise<RaceResult<T>> {
  return new Race(contest, clock, options).run();
}

class Race<C, T> {
  readonly #contest: Contest<C, T>;
  readonly #clock: Clock;
  readonly #options: RaceOptions;
  readonly #running = new Set<Link>();
  /** Ends timers and the wait for contenders, not the winner. */
  readonly #over: Link;
  readonly #result = Promise.withResolvers<RaceResult<T>>();
  #losses = 0;
  #drawing = false;
  #done = false;

  constructor(contest: Contest<C, T>, clock: Clock, options: RaceOptions) {
    this.#contest = contest;
    this.#clock = clock;
    this.#options = options;
    this.#over = link(options.signal);
  }

  async run(): Promise<RaceResult<T>> {
    const { signal, budgetMs } = this.#options;
    signal.throwIfAborted();
    const onAbort = () => this.#finish(signal.reason, () => this.#result.reject(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#after(budgetMs, this.#over.signal, () => {
      this.#finish(new RaceOver("late"), () => this.#result.resolve({ won: false, late: true }));
    });
    this.#draw();
    try {
      return await this.#result.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Asks one more, unless enough are asked. */
  #draw(): void {
    const { maxConcurrent, maxLosses } = this.#options;
    if (this.#done || this.#drawing) return;
    if (this.#running.size >= maxConcurrent || this.#losses >= maxLosses) return this.#check();
    this.#drawing = true;
    this.#contest.next(this.#over.signal, this.#running.size > 0).catch(() => undefined).then(
      (contender) => {
        this.#drawing = false;
        if (this.#done) {
          if (contender !== undefined) this.#contest.dismiss?.(contender);
          return;
        }
        if (contender !== undefined) return this.#start(contender);
        this.#check();
        if (!this.#done) this.#after(REDRAW_MS, this.#over.signal, () => this.#draw());
      },
    );
  }

  #start(contender: C): void {
    const turn = link();
    this.#running.add(turn);
    this.#after(this.#contest.hedgeMs(contender), this.#over.signal, () => this.#draw());
    this.#contest.ask(contender, turn.signal).catch(() => undefined).then((prize) => {
      this.#running.delete(turn);
      if (prize === undefined) {
        this.#losses++;
        this.#draw();
      } else if (this.#done) {
        this.#contest.discard(prize);
      } else {
        this.#finish(new RaceOver("lost"), () => this.#result.resolve({ won: true, prize }));
      }
    });
  }

  /** No contender is left to wait for. */
  #check(): void {
    if (this.#running.size > 0 || this.#drawing) return;
    this.#finish(undefined, () => this.#result.resolve({ won: false, late: false }));
  }

  #finish(reason: unknown, settle: () => void): void {
    if (this.#done) return;
    this.#done = true;
    this.#over.abort(reason);
    for (const turn of this.#running) turn.abort(reason);
    settle();
  }

  #after(ms: number, signal: AbortSignal, action: () => void): void {
    if (!Number.isFinite(ms)) return;
    this.#clock.sleep(ms, { signal }).then(action, () => {});
  }
}
