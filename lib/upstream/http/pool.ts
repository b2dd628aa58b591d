import { untilAborted } from "../../async/until_aborted.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Connection } from "./connection.ts";

export interface PoolOptions {
  /** Open connections, idle ones included; further requests wait. Default 64. */
  readonly maxOpen?: number;
  /** Idle connections kept per key while no request waits; default 16. */
  readonly maxIdlePerKey?: number;
  /** How long a connection stays idle before it is closed, ms; default 30,000. */
  readonly idleMs?: number;
}

/** Exclusive use of a connection. */
export interface Lease {
  readonly connection: Connection;
  /** True if it was used before: the server may have closed it meanwhile. */
  readonly reused: boolean;
  /** Returns the connection; it is closed unless it is reusable. Idempotent. */
  release(): void;
}

interface Idle {
  readonly key: string;
  readonly connection: Connection;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A bounded pool of keep-alive connections. */
export class Pool implements Disposable {
  readonly #options: Required<PoolOptions>;
  /** Oldest first. */
  #idle: Idle[] = [];
  readonly #busy = new Set<Connection>();
  /** Connections, including those being opened. */
  #open = 0;
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  constructor(options: PoolOptions = {}) {
    this.#options = { maxOpen: 64, maxIdlePerKey: 16, idleMs: 30_000, ...options };
  }

  /**
   * Takes an idle connection of a key, or opens a new one.
   *
   * @param fresh always opens a new one.
   * @throws what `open` throws, or the signal's reason when it aborts.
   */
  async take(
    key: string,
    open: () => Promise<Connection>,
    { signal, fresh }: Cancellable & { readonly fresh: boolean },
  ): Promise<Lease> {
    while (true) {
      signal.throwIfAborted();
      if (this.#closed) throw new Error("connections to upstream are closed");
      const idle = fresh ? undefined : this.#idle.findLast((each) => each.key === key);
      if (idle !== undefined) {
        this.#forget(idle);
        return this.#lease(key, idle.connection, true);
      }
      if (this.#open < this.#options.maxOpen) break;
      const [oldest] = this.#idle;
      if (oldest === undefined) await this.#wait(signal);
      else this.#end(oldest);
    }
    this.#open++;
    try {
      const connection = await open();
      if (this.#closed) connection.close();
      return this.#lease(key, connection, false);
    } catch (error) {
      this.#gone();
      throw error;
    }
  }

  /** Closes all connections, busy ones too. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const idle of this.#idle) this.#end(idle);
    for (const connection of this.#busy) connection.close();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #lease(key: string, connection: Connection, reused: boolean): Lease {
    this.#busy.add(connection);
    return { connection, reused, release: () => this.#release(key, connection) };
  }

  #release(key: string, connection: Connection): void {
    if (!this.#busy.delete(connection)) return;
    const kept = this.#idle.filter((idle) => idle.key === key).length;
    const isTooMany = kept >= this.#options.maxIdlePerKey && this.#waiting.length === 0;
    if (this.#closed || !connection.reusable || isTooMany) {
      connection.close();
      return this.#gone();
    }
    const timer = setTimeout(() => this.#end(idle), this.#options.idleMs);
    const idle: Idle = { key, connection, timer };
    this.#idle.push(idle);
    this.#waiting.shift()?.();
  }

  #forget(idle: Idle): void {
    clearTimeout(idle.timer);
    this.#idle = this.#idle.filter((each) => each !== idle);
  }

  #end(idle: Idle): void {
    this.#forget(idle);
    idle.connection.close();
    this.#gone();
  }

  #gone(): void {
    this.#open--;
    this.#waiting.shift()?.();
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    try {
      await untilAborted(promise, signal);
    } catch (error) {
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      // This request was already granted its turn: pass it on.
      else this.#waiting.shift()?.();
      throw error;
    }
  }
}
