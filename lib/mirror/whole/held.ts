import { link } from "../../async/link.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Part } from "../http/answer.ts";
import type { SlabList } from "../memory/content_memory.ts";
import type { Room } from "../memory/memory_budget.ts";
import { SLAB_BYTES } from "../memory/slabs.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** The content of {@link Held}. */
export interface HeldInit {
  readonly descriptor: Descriptor;
  /** All of the content. */
  readonly memory: SlabList;
  /** The share of the memory budget. */
  readonly room: Room;
  /** The peer that sent it. */
  readonly peer: string;
  /** The peer says that it is private. */
  readonly isPrivate: boolean;
  /** The number of readers; each must read or decline it. */
  readonly readers: number;
}

/** Bytes of the chunks that are passed on: as many as a read from a peer brings. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Verified content that is in memory until its readers have taken it. Each reader gets copies,
 * which it owns. A slab that all have taken is freed at once.
 */
export class Held {
  readonly descriptor: Descriptor;
  readonly peer: string;
  readonly isPrivate: boolean;
  readonly #memory: SlabList;
  readonly #room: Room;
  /** How many readers have yet to take each slab. */
  readonly #due: number[];

  constructor({ descriptor, memory, room, peer, isPrivate, readers }: HeldInit) {
    this.descriptor = descriptor;
    this.peer = peer;
    this.isPrivate = isPrivate;
    this.#memory = memory;
    this.#room = room;
    this.#due = Array(Math.ceil(memory.bytes / SLAB_BYTES)).fill(readers);
  }

  /** Adds a reader, while another has not taken anything yet. */
  addReader(): void {
    for (const [index, due] of this.#due.entries()) this.#due[index] = due + 1;
  }

  /** One of its readers will not read it. */
  decline(): void {
    this.#passOver(0);
  }

  /**
   * The content, or a part of it, for one of its readers.
   *
   * @param signals each of them breaks the stream.
   */
  body({ start, end }: Part, ...signals: readonly AbortSignal[]): ReadableStream<Chunk> {
    const life = link(...signals);
    const { signal } = life;
    let at = start;
    let passed = this.#passOver(0, Math.floor(start / SLAB_BYTES));
    const stop = () => {
      passed = this.#passOver(passed);
      signal.removeEventListener("abort", onAbort);
      life.detach();
    };
    let onAbort = () => {};
    return new ReadableStream<Chunk>({
      start: (controller) => {
        onAbort = () => {
          stop();
          controller.error(signal.reason);
        };
        if (signal.aborted) onAbort();
        else signal.addEventListener("abort", onAbort, { once: true });
      },
      pull: (controller) => {
        const chunk = this.#memory.copy(at, Math.min(CHUNK_BYTES, end - at));
        at += chunk.length;
        if (chunk.length > 0) controller.enqueue(chunk);
        passed = this.#passOver(passed, Math.floor(at / SLAB_BYTES));
        if (at < end) return;
        stop();
        controller.close();
      },
      cancel: stop,
    }, { highWaterMark: 0 });
  }

  /** One reader is done with the slabs of a range; returns the end of the range. */
  #passOver(from: number, to = this.#due.length): number {
    for (let index = from; index < to; index++) {
      const due = (this.#due[index] ?? 0) - 1;
      this.#due[index] = due;
      if (due > 0) continue;
      this.#memory.free(index);
      this.#room.give(SLAB_BYTES);
    }
    return Math.max(from, to);
  }
}
