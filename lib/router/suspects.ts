import type { PeerId } from "@libp2p/interface";

/** Peers that did not answer, until it is known whether they live: nobody waits for them meanwhile. */
export class Suspects {
  readonly #check: (peer: PeerId) => Promise<void>;
  readonly #names = new Set<string>();

  /** @param check finds out whether a peer lives, and resolves once that is known. */
  constructor(check: (peer: PeerId) => Promise<void>) {
    this.#check = check;
  }

  /** How many there are. */
  get size(): number {
    return this.#names.size;
  }

  /** Tells whether the peer with this id is one. */
  has(id: string): boolean {
    return this.#names.has(id);
  }

  /** A peer did not answer. It is checked now. */
  add(peer: PeerId): void {
    const name = peer.toString();
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#check(peer).catch(() => {}).finally(() => this.#names.delete(name));
  }
}
