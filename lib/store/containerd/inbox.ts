import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";

/** A check that is due at a time. */
interface Scheduled {
  readonly atMs: number;
  /** Number of earlier attempts. */
  readonly attempt: number;
}

/** At most one entry per key, so that a burst of events costs one check. */
type Queue<Key> = Map<Key, Scheduled>;

/** Entries of one queue; beyond that a full sync is cheaper and loses nothing. */
const MAX_KEYS = 10_000;
/** Entries taken at once: the result of the first must not wait for thousands. */
const MAX_TAKEN = 64;

/**
 * A watcher's pending checks. Events and timers add to it, one loop takes from it. It holds each
 * name and digest once, so it stays bounded however slow the consumer is.
 */
export class Inbox {
  readonly #clock: Clock;
  readonly #images: Queue<string> = new Map();
  readonly #contents: Queue<Digest> = new Map();
  #syncAtMs = Infinity;
  #compare = false;
  #wake = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Schedules a check of an image; of several requests the earliest time applies. */
  image(name: string, delayMs: number, attempt = 0): void {
    this.#add(this.#images, name, delayMs, attempt);
  }

  /** Schedules a check of content. */
  content(digest: Digest, delayMs: number, attempt = 0): void {
    this.#add(this.#contents, digest, delayMs, attempt);
  }

  /** Schedules a full sync; replaces the pending one. */
  sync(delayMs: number): void {
    this.#syncAtMs = this.#clock.now() + delayMs;
    this.#wake();
  }

  /** Requests a comparison of the known state with containerd's lists. */
  compare(): void {
    this.#compare = true;
    this.#wake();
  }

  /**
   * Waits until something is due and takes it. A full sync comes first and leaves the rest for
   * later.
   *
   * @throws the signal's reason when it aborts.
   */
  async take(options: Cancellable): Promise<
    "sync" | "compare" | {
      readonly images: readonly (readonly [name: string, attempt: number])[];
      readonly contents: readonly (readonly [digest: Digest, attempt: number])[];
    }
  > {
    while (true) {
      options.signal.throwIfAborted();
      const now = this.#clock.now();
      if (this.#syncAtMs <= now) return "sync";
      if (this.#compare) {
        this.#compare = false;
        return "compare";
      }
      const images = takeDue(this.#images, now);
      const contents = takeDue(this.#contents, now);
      if (images.length > 0 || contents.length > 0) return { images, contents };
      await this.#wait(this.#nextAtMs() - now, options);
    }
  }

  #add<Key>(queue: Queue<Key>, key: Key, delayMs: number, attempt: number): void {
    const atMs = this.#clock.now() + delayMs;
    const earlier = queue.get(key);
    if (earlier !== undefined && earlier.atMs <= atMs) return;
    if (earlier === undefined && queue.size >= MAX_KEYS) {
      queue.clear();
      return this.sync(0);
    }
    queue.set(key, { atMs, attempt });
    this.#wake();
  }

  #nextAtMs(): number {
    let next = this.#syncAtMs;
    for (const { atMs } of this.#images.values()) next = Math.min(next, atMs);
    for (const { atMs } of this.#contents.values()) next = Math.min(next, atMs);
    return next;
  }

  async #wait(ms: number, { signal }: Cancellable): Promise<void> {
    const woken = new AbortController();
    const onAbort = () => woken.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#wake = onAbort;
    try {
      await this.#clock.sleep(ms, { signal: woken.signal });
    } catch (error) {
      if (!woken.signal.aborted) throw error;
    } finally {
      this.#wake = () => {};
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function takeDue<Key>(queue: Queue<Key>, now: number): (readonly [Key, number])[] {
  const due: (readonly [Key, number])[] = [];
  for (const [key, { atMs, attempt }] of queue) {
    if (due.length === MAX_TAKEN) break;
    if (atMs > now) continue;
    queue.delete(key);
    due.push([key, attempt]);
  }
  return due;
}
