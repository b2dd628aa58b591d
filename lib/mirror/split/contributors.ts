import type { Part } from "../http/answer.ts";
import { placeOf, type Sender } from "../http/sender.ts";

/** Bytes of some content, and who sent them. */
export interface Contribution extends Part {
  readonly sender: Sender;
}

/** Keeps account of who sent which bytes of one body. */
export class Contributors {
  readonly #parts: { sender: Sender; place: string; start: number; end: number }[] = [];
  readonly #left = new Set<string>();

  /** Takes down that these bytes came from somebody. */
  add(sender: Sender, { start, end }: Part): void {
    const last = this.#parts.findLast((part) => part.end === start);
    // One that relays what it gets may have it whole a moment later: another answer, another part.
    const isSame = last?.sender === sender ||
      (last?.place === placeOf(sender) && last.sender.arriving === sender.arriving);
    if (last !== undefined && isSame) last.end = end;
    else this.#parts.push({ sender, place: placeOf(sender), start, end });
  }

  /** Somebody did not send all of what he was asked for. */
  left(sender: Sender): void {
    this.#left.add(placeOf(sender));
  }

  hasLeft(sender: Sender): boolean {
    return this.#left.has(placeOf(sender));
  }

  /** Who sent the byte at an offset; undefined if it has not come. */
  at(offset: number): Sender | undefined {
    return this.#parts.findLast(({ start, end }) => start <= offset && offset < end)?.sender;
  }

  /** Everybody, each once; as one that is still getting it if that is true of any of its parts. */
  get senders(): readonly Sender[] {
    const senders = new Map<string, Sender>();
    for (const { place, sender } of this.#parts) {
      if (!senders.has(place) || sender.arriving) senders.set(place, sender);
    }
    return [...senders.values()];
  }

  /** Whether nothing has come from anybody. */
  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }
}
