import assert from "node:assert/strict";
import { deadline } from "../../lib/async/deadline.ts";
import type { StoreEvent, Watcher } from "../../lib/ports/watcher.ts";
import type { FakeClock } from "../fakes/clock.ts";

type EventOf<Type extends StoreEvent["type"]> = Extract<StoreEvent, { type: Type }>;

/** Longest wait of a test for an event, ms of real time: only a failing test gets there. */
const PATIENCE_MS = 20_000;
/** Steps in which a fake clock is moved while waiting, ms. */
const STEP_MS = 50;

/** Follows a watcher and keeps what it yields. Use with `await using`. */
export class WatchRecorder implements AsyncDisposable {
  /** All events so far. */
  readonly events: StoreEvent[] = [];
  readonly #clock: FakeClock | undefined;
  readonly #controller = new AbortController();
  readonly #done: Promise<void>;
  #read = 0;
  #notify = () => {};

  /** @param clock moved on while events are awaited, if the watcher runs on a fake clock. */
  constructor(watcher: Watcher, clock?: FakeClock) {
    this.#clock = clock;
    this.#done = this.#follow(watcher);
  }

  /** Waits for the next event that fits, passing over others; each is returned once. */
  async next<Type extends StoreEvent["type"]>(
    type: Type,
    fits: (event: EventOf<Type>) => boolean = () => true,
  ): Promise<EventOf<Type>> {
    using limit = deadline(PATIENCE_MS);
    while (true) {
      while (this.#read < this.events.length) {
        const event = this.events[this.#read++];
        if (event?.type === type && fits(event as EventOf<Type>)) return event as EventOf<Type>;
      }
      if (limit.signal.aborted) {
        assert.fail(`no fitting ${type} event among ${JSON.stringify(this.events)}`);
      }
      await this.#more(limit.signal);
    }
  }

  /** Lets fake time pass and says which events came meanwhile; they count as read. */
  async pass(ms: number): Promise<StoreEvent[]> {
    const from = this.#read;
    for (let passed = 0; passed < ms; passed += STEP_MS) await this.#clock?.advance(STEP_MS);
    this.#read = this.events.length;
    return this.events.slice(from);
  }

  /** Ends the watch, which must end without an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort(new DOMException("the test is over", "AbortError"));
    await this.#done;
  }

  async #more(signal: AbortSignal): Promise<void> {
    if (this.#clock !== undefined) return await this.#clock.advance(STEP_MS);
    await new Promise<void>((resolve) => {
      this.#notify = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  async #follow(watcher: Watcher): Promise<void> {
    for await (const event of watcher.watch({ signal: this.#controller.signal })) {
      this.events.push(event);
      this.#notify();
    }
  }
}
