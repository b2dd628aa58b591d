import type { Part } from "../http/answer.ts";
import { placeOf, type Sender } from "../http/sender.ts";

/** A span of the content's bytes, and its sender. */
export interface Contribution extends Part {
  readonly sender: Sender;
}

/** Records which sender sent which bytes of one body. */
export class Contributors {
  readonly #parts: { sender: Sender; place: string; start: number; end: number }[] = [];
  readonly #left = new Set<string>();

  /** Adds bytes of a sender. */
  add(sender: Sender, { start, end }: Part): void {
    const last = this.#parts.findLast((part) => part.end === start);
    // A relay may have all of the content a moment later: that is another answer, and another part.
    const isSame = last?.sender === sender ||
      (last?.place === placeOf(sender) && last.sender.arriving === sender.arriving);
    if (last !== undefined && isSame) last.end = end;
    else this.#parts.push({ sender, place: placeOf(sender), start, end });
  }

  /** A sender did not send all that it was asked for. */
  left(sender: Sender): void {
    this.#left.add(placeOf(sender));
  }

  hasLeft(sender: Sender): boolean {
    return this.#left.has(placeOf(sender));
  }

  /** The sender of the byte at an offset; undefined if it has not arrived. */
  at(offset: number): Sender | undefined {
    return this.#parts.findLast(({ start, end }) => start <= offset && offset < end)?.sender;
  }

  /** All senders, each once; `arriving` if that holds for any of its parts. */
  get senders(): readonly Sender[] {
    const senders = new Map<string, Sender>();
    for (const { place, sender } of this.#parts) {
      if (!senders.has(place) || sender.arriving) senders.set(place, sender);
    }
    return [...senders.values()];
  }

  /** Whether no bytes have arrived. */
  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }
}
