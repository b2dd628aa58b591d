import { backoff } from "../../async/backoff.ts";
import { deadline } from "../../async/deadline.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";

/** Delays between walks, ms: short while new peers are found, long otherwise. */
const INTERVAL = { baseMs: 1000, maxMs: 60_000 };
/** Deadline of a walk, ms. */
const WALK_TIMEOUT_MS = 10_000;
/** Header of a sha2-256 multihash: code and length. */
const SHA2_256_HEADER = [0x12, 32];

export interface DiscoveryCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Walks the DHT; resolves with the peers nearest to a multihash. Does not reject. */
  readonly closest: (target: Uint8Array, options: Cancellable) => Promise<readonly unknown[]>;
  /** Multihash of this node's peer id. */
  readonly self: Uint8Array;
  /** Number of peers in the routing table. */
  readonly peerCount: () => number;
}

/**
 * Walks the DHT towards this node and towards random keys, to find its neighbours and some of all
 * other nodes. The library does so a second after the start and then every five minutes, which is
 * too early and too late when many nodes start together.
 */
export class Discovery {
  readonly #collaborators: DiscoveryCollaborators;

  constructor(collaborators: DiscoveryCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Runs until the signal aborts; then rejects with its reason. */
  async run(options: Cancellable): Promise<never> {
    const { clock, peerCount, self } = this.#collaborators;
    let delays = backoff(INTERVAL);
    let known = 0;
    while (true) {
      await clock.sleep(delays.next().value, options);
      const count = peerCount();
      if (count !== known) delays = backoff(INTERVAL);
      known = count;
      if (count === 0) continue;
      await this.#walk(self, options);
      await this.#walk(randomMultihash(), options);
    }
  }

  async #walk(target: Uint8Array, options: Cancellable): Promise<void> {
    using limit = deadline(WALK_TIMEOUT_MS, options);
    const { length } = await this.#collaborators.closest(target, limit);
    options.signal.throwIfAborted();
    this.#collaborators.log.debug("walked the DHT", { met: length });
  }
}

function randomMultihash(): Uint8Array {
  return Uint8Array.of(...SHA2_256_HEADER, ...crypto.getRandomValues(new Uint8Array(32)));
}
