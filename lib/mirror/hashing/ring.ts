/** What a slot tells the worker to do with the hash that it names. */
export const BEGIN_SHA256 = 0;
export const BEGIN_SHA512 = 1;
export const UPDATE = 2;
export const FINISH = 3;
export const DROP = 4;
export const EXIT = 5;
export const MARK = 6;

/** Slots of a ring: enough for the worker to go on while this thread does something else. */
export const SLOTS = 16;
/** Bytes of a slot: a chunk as it is read from a peer. */
export const SLOT_BYTES = 256 * 1024;
/** Words of the ring's head: slots written so far, slots read so far, and whether room is awaited. */
export const WRITTEN = 0;
export const READ = 1;
export const AWAITED = 2;
/** Words of a slot's head: what to do, number of the hash, bytes. */
export const SLOT_WORDS = 3;
export const HEAD_WORDS = 4;

/** The writing end of a ring of chunks in memory that two threads share. */
export class RingWriter {
  readonly memory = new SharedArrayBuffer(
    4 * (HEAD_WORDS + SLOTS * SLOT_WORDS) + SLOTS * SLOT_BYTES,
  );
  readonly #words = new Int32Array(this.memory, 0, HEAD_WORDS + SLOTS * SLOT_WORDS);
  readonly #bytes = new Uint8Array(this.memory, this.#words.byteLength);
  #written = 0;

  /** Whether there is room for one more. */
  get hasRoom(): boolean {
    return ((this.#written - Atomics.load(this.#words, READ)) | 0) < SLOTS;
  }

  /** Asks to be told of room: true if there is some already. */
  awaitRoom(): boolean {
    Atomics.store(this.#words, AWAITED, 1);
    return this.hasRoom;
  }

  /** Adds a slot; there must be room, and the bytes at most {@link SLOT_BYTES}. */
  write(what: number, hash: number, bytes?: Uint8Array): void {
    const slot = (this.#written >>> 0) % SLOTS;
    this.#words.set([what, hash, bytes?.length ?? 0], HEAD_WORDS + slot * SLOT_WORDS);
    if (bytes !== undefined) this.#bytes.set(bytes, slot * SLOT_BYTES);
    this.#written = (this.#written + 1) | 0;
    Atomics.store(this.#words, WRITTEN, this.#written);
    Atomics.notify(this.#words, WRITTEN);
  }
}
