import type { Connection, PeerId } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import { errorOf } from "../../async/thrown.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";

/** Interval of checks, ms. */
const INTERVAL_MS = 10_000;
/** Age below which a connection is not closed, ms. */
const YOUNG_MS = 20_000;
const CLOSE_TIMEOUT_MS = 1000;

export interface ConnectionLimiterCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly connections: () => readonly Connection[];
  /** Tells whether a peer's connection must stay: that of a neighbour in the key space. */
  readonly isNeeded: (peer: PeerId) => boolean;
  /** When a peer was last asked, by the clock; undefined: never. */
  readonly lastAsked: (peer: PeerId) => number | undefined;
}

export interface ConnectionLimiterOptions {
  /** Number of connections to keep. */
  readonly maxConnections: number;
}

/**
 * Closes the least recently used connections above the limit. In a network of a few hundred nodes
 * all are connected to each other; beyond that it would cost a node of a thousand 190 MB. The
 * library would close the newest first, whether they are used or not.
 */
export class ConnectionLimiter {
  readonly #collaborators: ConnectionLimiterCollaborators;
  readonly #options: ConnectionLimiterOptions;
  /** When each connection was first seen. */
  readonly #since = new WeakMap<Connection, number>();

  constructor(collaborators: ConnectionLimiterCollaborators, options: ConnectionLimiterOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Runs until the signal aborts; then rejects with its reason. */
  async run(options: Cancellable): Promise<never> {
    while (true) {
      await this.#collaborators.clock.sleep(INTERVAL_MS, options);
      await this.prune(options);
    }
  }

  /** Closes the excess. Does not reject unless the signal aborts. */
  async prune(options: Cancellable): Promise<void> {
    const { connections, clock, log } = this.#collaborators;
    const all = connections().filter(({ status }) => status === "open");
    const now = clock.now();
    for (const connection of all) {
      if (!this.#since.has(connection)) this.#since.set(connection, now);
    }
    const old = all.filter((connection) => now - (this.#since.get(connection) ?? now) >= YOUNG_MS);
    const excess = this.#leastUsed(old).slice(
      0,
      Math.max(0, all.length - this.#options.maxConnections),
    );
    for (const connection of excess) {
      using limit = deadline(CLOSE_TIMEOUT_MS, options);
      await connection.close(limit).catch((error) => {
        connection.abort(errorOf(error));
      });
    }
    options.signal.throwIfAborted();
    if (excess.length > 0) log.debug("connections closed", { closed: excess.length });
  }

  #leastUsed(connections: readonly Connection[]): Connection[] {
    const { isNeeded, lastAsked } = this.#collaborators;
    return connections.filter(({ remotePeer }) => !isNeeded(remotePeer))
      .map((connection) => ({ connection, at: lastAsked(connection.remotePeer) ?? -Infinity }))
      .sort((a, b) => a.at - b.at)
      .map(({ connection }) => connection);
  }
}
