import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";

/** Something to be looked at, at a time. */
interface Due {
  readonly atMs: number;
  /** How often it was looked at already. */
  readonly attempt: number;
}

/** One kind of work: at most one entry a key, so that a burst of events costs one look. */
type Agenda<Key> = Map<Key, Due>;

/** Keys on one agenda; beyond that, looking at everything anew is cheaper and loses nothing. */
const MAX_KEYS = 10_000;
/** Entries taken at once: what was found out about the first is not to wait for thousands. */
const MAX_TAKEN = 64;

/**
 * What a watcher has yet to look at. Events and timers add to it, one loop takes from it. It holds
 * names and digests only, each once: however slow the consumer is, it stays bounded.
 */
export class Inbox {
  readonly #clock: Clock;
  readonly #images: Agenda<string> = new Map();
  readonly #contents: Agenda<Digest> = new Map();
  #syncAtMs = Infinity;
  #compare = false;
  #wake = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks for a look at an image; an earlier request for it stands, a later one is brought forward. */
  image(name: string, delayMs: number, attempt = 0): void {
    this.#add(this.#images, name, delayMs, attempt);
  }

  /** Asks for a look at content. */
  content(digest: Digest, delayMs: number, attempt = 0): void {
    this.#add(this.#contents, digest, delayMs, attempt);
  }

  /** Asks for a look at everything; replaces the last such request. */
  sync(delayMs: number): void {
    this.#syncAtMs = this.#clock.now() + delayMs;
    this.#wake();
  }

  /** Asks for a comparison of what is known with lists of what there is. */
  compare(): void {
    this.#compare = true;
    this.#wake();
  }

  /**
   * Waits until something is due and takes it. A look at everything comes before all else and
   * leaves the rest for afterwards.
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

  #add<Key>(agenda: Agenda<Key>, key: Key, delayMs: number, attempt: number): void {
    const atMs = this.#clock.now() + delayMs;
    const earlier = agenda.get(key);
    if (earlier !== undefined && earlier.atMs <= atMs) return;
    if (earlier === undefined && agenda.size >= MAX_KEYS) {
      agenda.clear();
      return this.sync(0);
    }
    agenda.set(key, { atMs, attempt });
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

function takeDue<Key>(agenda: Agenda<Key>, now: number): (readonly [Key, number])[] {
  const due: (readonly [Key, number])[] = [];
  for (const [key, { atMs, attempt }] of agenda) {
    if (due.length === MAX_TAKEN) break;
    if (atMs > now) continue;
    agenda.delete(key);
    due.push([key, attempt]);
  }
  return due;
}
