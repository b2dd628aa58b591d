import { SLAB_BYTES, type Slabs } from "./slabs.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** Stores content that arrives in chunks. It owns the chunks from then on. */
export interface ContentMemory {
  append(chunk: Chunk): void;
  /** The content so far, in order. */
  readonly pieces: readonly Chunk[];
  /** Frees all of it. */
  drop(): void;
}

/** Keeps the chunks of small content as they are. */
export class ChunkList implements ContentMemory {
  readonly pieces: Chunk[] = [];

  append(chunk: Chunk): void {
    // A few bytes must not keep a large buffer alive.
    this.pieces.push(2 * chunk.length < chunk.buffer.byteLength ? chunk.slice() : chunk);
  }

  drop(): void {
    this.pieces.length = 0;
  }
}

/** Copies content into slabs, each but the last of which is full. */
export class SlabList implements ContentMemory {
  readonly #slabs: Slabs;
  readonly #list: (Chunk | undefined)[] = [];
  #bytes = 0;

  constructor(slabs: Slabs) {
    this.#slabs = slabs;
  }

  /** Bytes of content. */
  get bytes(): number {
    return this.#bytes;
  }

  append(chunk: Chunk): void {
    for (let from = 0; from < chunk.length;) {
      const used = this.#bytes % SLAB_BYTES;
      if (used === 0) this.#list.push(this.#slabs.take());
      const part = chunk.subarray(from, from + SLAB_BYTES - used);
      this.#list.at(-1)?.set(part, used);
      this.#bytes += part.length;
      from += part.length;
    }
    // Freed at once, its memory is used for the next chunk; the garbage collector would free it
    // much later.
    chunk.buffer.transfer(0);
  }

  get pieces(): readonly Chunk[] {
    return this.#list.flatMap((slab, index) =>
      slab === undefined ? [] : [slab.subarray(0, this.#bytes - index * SLAB_BYTES)]
    );
  }

  /** A copy of the bytes from an offset on, at most so many, and not beyond the slab. */
  copy(start: number, maxBytes: number): Chunk {
    const from = start % SLAB_BYTES;
    const end = Math.min(from + maxBytes, SLAB_BYTES, from + this.#bytes - start);
    return this.#list[Math.floor(start / SLAB_BYTES)]?.slice(from, end) ?? new Uint8Array(0);
  }

  /** Frees one slab. */
  free(index: number): void {
    const slab = this.#list[index];
    if (slab !== undefined) this.#slabs.give(slab);
    this.#list[index] = undefined;
  }

  drop(): void {
    for (const index of this.#list.keys()) this.free(index);
  }
}
