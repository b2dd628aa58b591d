/** A connection with a response in memory. */
export interface UnreadConnection {
  /** When its client last read, ms of any clock. */
  readonly waitingSince: number;
  /** Ends it at once. */
  close(): void;
}

/** Maximum bytes of unread responses: at least six of the largest manifests. */
const MAX_BYTES = 24 * 1024 * 1024;

/**
 * Bounds the memory of responses until their clients have read them. When it runs out, the
 * connection is closed whose client has not read for the longest time: a client that reads is done
 * soon.
 */
export class UnreadAnswers {
  readonly #mostBytes: number;
  readonly #held = new Map<UnreadConnection, number>();
  #bytes = 0;

  constructor(mostBytes = MAX_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /**
   * Accounts for a response in memory. Dispose once it has been sent, or its connection has ended.
   */
  hold(reader: UnreadConnection, bytes: number): Disposable {
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

  #letGo(reader: UnreadConnection): void {
    this.#bytes -= this.#held.get(reader) ?? 0;
    this.#held.delete(reader);
  }
}
