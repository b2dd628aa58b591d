import { type DhtKey, kademliaId } from "../dht/dht_key.ts";
import type { PlacedKey } from "./key_placement.ts";

/** Number of parts of the key space: one per value of the first byte. */
export const PARTS = 256;

/** The keys that this node provides, by position in the key space. */
export class OwnKeys {
  readonly #byId = new Map<string, PlacedKey>();
  readonly #parts: Map<string, PlacedKey>[] = Array.from({ length: PARTS }, () => new Map());

  get size(): number {
    return this.#byId.size;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Adds a key; undefined if it exists. */
  add(key: DhtKey): PlacedKey | undefined {
    if (this.#byId.has(key.id)) return undefined;
    const placed = { ...key, kademliaId: kademliaId(key.multihash) };
    this.#byId.set(key.id, placed);
    this.#part(placed).set(key.id, placed);
    return placed;
  }

  delete(id: string): void {
    const key = this.#byId.get(id);
    if (key === undefined) return;
    this.#byId.delete(id);
    this.#part(key).delete(id);
  }

  /** The keys of `count` parts from `from` on. */
  inParts(from: number, count: number): PlacedKey[] {
    return this.#parts.slice(from, from + count).flatMap((part) => [...part.values()]);
  }

  /** The keys that share this many leading bits (at most 8 count) with a position. */
  sharing(bits: number, position: Uint8Array): PlacedKey[] {
    const width = PARTS >> Math.min(bits, 8);
    const first = position[0] ?? 0;
    return this.inParts(first - first % width, width);
  }

  #part(key: PlacedKey): Map<string, PlacedKey> {
    const part = this.#parts[key.kademliaId[0] ?? 0];
    if (part === undefined) throw new RangeError("position has no first byte");
    return part;
  }
}
