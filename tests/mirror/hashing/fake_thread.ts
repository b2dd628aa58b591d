import type { HashThread } from "../../../lib/mirror/hashing/hash_worker.ts";
import * as ring from "../../../lib/mirror/hashing/ring.ts";

/** A thread that does nothing unless it is told to. */
export class FakeThread implements HashThread {
  onmessage: HashThread["onmessage"] = null;
  onerror: HashThread["onerror"] = null;
  ended = false;
  #words: Int32Array = new Int32Array(0);
  #read = 0;

  postMessage(memory: unknown): void {
    this.#words = new Int32Array(
      memory as SharedArrayBuffer,
      0,
      ring.HEAD_WORDS + ring.SLOTS * ring.SLOT_WORDS,
    );
  }

  terminate(): void {
    this.ended = true;
  }

  crash(message: string): void {
    this.onerror?.call(this as never, new ErrorEvent("error", { message, cancelable: true }));
  }

  /** Takes what is in the ring, and what comes in after it, until a promise has settled. */
  async work(until: Promise<unknown>): Promise<{ updates: number; results: number }> {
    const seen = { updates: 0, results: 0 };
    let over = false;
    until.then(() => over = true, () => over = true);
    while (!over) {
      this.#take(seen);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return seen;
  }

  #take(seen: { updates: number; results: number }): void {
    for (; Atomics.load(this.#words, ring.WRITTEN) !== this.#read; this.#read++) {
      const at = ring.HEAD_WORDS + (this.#read % ring.SLOTS) * ring.SLOT_WORDS;
      const [what, hash] = this.#words.subarray(at, at + ring.SLOT_WORDS);
      if (what === ring.UPDATE) seen.updates++;
      if (what === ring.FINISH) {
        seen.results++;
        this.#tell({ hash, hex: "" });
      }
    }
    Atomics.store(this.#words, ring.READ, this.#read);
    if (Atomics.exchange(this.#words, ring.AWAITED, 0) === 1) this.#tell("room");
  }

  #tell(data: unknown): void {
    this.onmessage?.call(this as never, new MessageEvent("message", { data }));
  }
}
