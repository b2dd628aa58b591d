import { untilAborted } from "../../lib/async/until_aborted.ts";
import type { Cancellable } from "../../lib/ports/cancellable.ts";
import type { Peer, Router } from "../../lib/ports/router.ts";

/** A router without a network: what is advertised is noted, what is looked up was put there. */
export class MemoryRouter implements Router {
  readonly advertised = new Set<string>();
  readonly #providers = new Map<string, Peer[]>();
  /** Ids of peers that have said goodbye. */
  readonly left = new Set<string>();
  /** Ids of peers that were reported not to answer, in order. */
  readonly failures: string[] = [];
  isReady = true;
  /** What the first peer is waited for by; undefined: it is not. */
  awaiting: Promise<void> | undefined;

  /** Makes `lookup(key)` yield these peers. */
  provide(key: string, ...peers: Peer[]): void {
    this.#providers.set(key, [...this.#providers.get(key) ?? [], ...peers]);
  }

  advertise(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.advertised.add(key);
    return Promise.resolve();
  }

  withdraw(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.advertised.delete(key);
    return Promise.resolve();
  }

  async *lookup(key: string, { signal }: Cancellable): AsyncGenerator<Peer> {
    for (const peer of this.#providers.get(key) ?? []) {
      if (signal.aborted) return;
      yield await Promise.resolve(peer);
    }
  }

  reportFailure(id: string): void {
    this.failures.push(id);
  }

  async firstPeer({ signal }: Cancellable): Promise<void> {
    if (this.awaiting !== undefined) await untilAborted(this.awaiting, signal);
  }

  ready(): boolean {
    return this.isReady;
  }

  hasLeft(id: string): boolean {
    return this.left.has(id);
  }

  peers(): readonly Peer[] {
    return [...new Map([...this.#providers.values()].flat().map((p) => [p.id, p])).values()];
  }
}
