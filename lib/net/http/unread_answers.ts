/** A connection for whose client an answer is in memory. */
export interface Reader {
  /** Since when its client has not read on, ms by any clock. */
  readonly waitingSince: number;
  /** Ends it at once. */
  close(): void;
}

/** So much may wait to be read, bytes: the largest manifest six times, at least. */
const MOST_BYTES = 24 * 1024 * 1024;

/**
 * Bounds the memory of answers that are whole in memory until their clients have read them. Whoever
 * has not read on for longest is cut off where there is no room: a client that reads is done soon.
 */
export class UnreadAnswers {
  readonly #mostBytes: number;
  readonly #held = new Map<Reader, number>();
  #bytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** An answer is in memory. Disposed of when it has been sent, or its connection has ended. */
  hold(reader: Reader, bytes: number): Disposable {
    while (this.#held.size > 0 && this.#bytes + bytes > this.#mostBytes) this.#cutOff();
    this.#held.set(reader, bytes);
    this.#bytes += bytes;
    return { [Symbol.dispose]: () => this.#letGo(reader) };
  }

  #cutOff(): void {
    const [first, ...others] = this.#held.keys();
    if (first === undefined) return;
    const longest = others.reduce(
      (one, other) => other.waitingSince < one.waitingSince ? other : one,
      first,
    );
    this.#letGo(longest);
    longest.close();
  }

  #letGo(reader: Reader): void {
    this.#bytes -= this.#held.get(reader) ?? 0;
    this.#held.delete(reader);
  }
}
