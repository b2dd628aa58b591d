import { link } from "../../async/link.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Part } from "../answer.ts";
import type { Room } from "./memory_budget.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** What {@link Held} is made of. */
export interface HeldInit {
  readonly descriptor: Descriptor;
  /** All of the content. */
  readonly chunks: readonly Chunk[];
  /** The memory that it takes. */
  readonly room: Room;
  /** Who sent it. */
  readonly peer: string;
  /** Who sent it says that not everybody may have it. */
  readonly isPrivate: boolean;
  /** How many will read it, or say that they do not. */
  readonly readers: number;
}

/**
 * Content that has been verified and is in memory until its readers have taken it. Each reader gets
 * buffers of its own; what all have taken is let go at once.
 */
export class Held {
  readonly descriptor: Descriptor;
  readonly peer: string;
  readonly isPrivate: boolean;
  readonly #chunks: (Chunk | undefined)[];
  readonly #room: Room;
  /** How many have yet to take each chunk. */
  readonly #due: number[];
  readonly #starts: number[] = [];

  constructor({ descriptor, chunks, room, peer, isPrivate, readers }: HeldInit) {
    this.descriptor = descriptor;
    this.peer = peer;
    this.isPrivate = isPrivate;
    this.#chunks = [...chunks];
    this.#room = room;
    this.#due = chunks.map(() => readers);
    let start = 0;
    for (const { length } of chunks) {
      this.#starts.push(start);
      start += length;
    }
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
    let next = 0;
    const stop = () => {
      this.#passOver(next);
      next = this.#chunks.length;
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
        while (next < this.#chunks.length) {
          const at = this.#starts[next] ?? 0;
          const chunk = this.#take(next++);
          const wanted = chunk?.subarray(Math.max(start - at, 0), Math.max(end - at, 0));
          if (wanted === undefined || wanted.length === 0) continue;
          controller.enqueue(wanted);
          if (at + (chunk?.length ?? 0) < end) return;
          break;
        }
        stop();
        controller.close();
      },
      cancel: stop,
    }, { highWaterMark: 0 });
  }

  /** A chunk that the reader owns. */
  #take(index: number): Chunk | undefined {
    const chunk = this.#chunks[index];
    const due = (this.#due[index] ?? 0) - 1;
    this.#due[index] = due;
    if (due > 0) return chunk?.slice();
    this.#chunks[index] = undefined;
    this.#room.give(chunk?.length ?? 0);
    return chunk;
  }

  #passOver(from: number): void {
    for (let index = from; index < this.#due.length; index++) {
      const due = (this.#due[index] ?? 0) - 1;
      this.#due[index] = due;
      if (due > 0) continue;
      this.#room.give(this.#chunks[index]?.length ?? 0);
      this.#chunks[index] = undefined;
    }
  }
}
