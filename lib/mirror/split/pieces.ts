import type { PartReader } from "./part_reader.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** A part of a body that one lane gets. */
export interface Piece {
  readonly start: number;
  /** Smaller once another lane has taken over its second half. */
  end: number;
  reader: PartReader | undefined;
  /** Bytes that have arrived and were not taken yet. */
  readonly chunks: Chunk[];
  done: boolean;
}

/** A piece is not halved if less of it is left. */
const MIN_HALF_BYTES = 256 * 1024;

/**
 * The pieces of a body in order, from the one that is passed on now to the last one that was begun.
 */
export class Pieces {
  readonly #bytes: number;
  readonly #end: number;
  readonly #list: Piece[] = [];
  /** Pieces whose lane has ended. */
  readonly #orphans: Piece[] = [];
  #next: number;

  /**
   * @param start the offset of the first piece.
   * @param bytes of each piece.
   */
  constructor(start: number, end: number, bytes: number) {
    this.#next = start;
    this.#end = end;
    this.#bytes = bytes;
  }

  /** The piece that is passed on now; undefined if none has begun. */
  get head(): Piece | undefined {
    return this.#list[0];
  }

  /** Whether every byte has been passed on. */
  get finished(): boolean {
    return this.#next >= this.#end && this.#list.length === 0;
  }

  /** The next piece to get; undefined if there is none, or `most` are under way. */
  take(most: number): Piece | undefined {
    const orphan = this.#orphans.shift();
    if (orphan !== undefined) return orphan;
    if (this.#next >= this.#end || this.#list.length >= most) return undefined;
    const end = Math.min(this.#next + this.#bytes, this.#end);
    const piece = make(this.#next, end);
    this.#list.push(piece);
    this.#next = end;
    return piece;
  }

  /** The second half of the rest of the first piece, which holds up all others. */
  takeHalf(): Piece | undefined {
    const head = this.head;
    if (head?.reader === undefined || head.done || head.chunks.length > 0) return undefined;
    const left = head.end - head.reader.offset;
    if (left < 2 * MIN_HALF_BYTES) return undefined;
    const middle = head.end - Math.floor(left / 2);
    const piece = make(middle, head.end);
    head.reader.shorten(middle);
    head.end = middle;
    this.#list.splice(1, 0, piece);
    return piece;
  }

  /** Gives a piece back of which nothing has arrived. */
  putBack(piece: Piece): void {
    this.#orphans.push(piece);
  }

  /** The first piece has been passed on. */
  shift(): void {
    this.#list.shift();
  }
}

function make(start: number, end: number): Piece {
  return { start, end, reader: undefined, chunks: [], done: false };
}
