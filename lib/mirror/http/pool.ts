import { type Connect, connectTcp, type Place } from "./connect.ts";
import { HttpConnection, type HttpRequest } from "./connection.ts";
import type { HeaderFields } from "./head.ts";

/** A request and where it goes. */
export interface PeerRequest extends HttpRequest, Place {}

/** An answer, its body unread. */
export interface PeerResponse {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: PeerBody;
  /** The other end has a trusted certificate. */
  readonly secure?: boolean;
}

/** The body of an answer. It must be read to its end or closed. */
export interface PeerBody {
  /** Bytes that have not been read. */
  readonly left: number;
  /**
   * The next bytes, at most so many; undefined at the end. The caller owns them. Rejects when the
   * connection ends or is closed before the body does.
   */
  read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Gives the rest up; the peer sees its connection closed. Nothing happens after the end. */
  close(): void;
}

/** Sends a request; rejects when the signal aborts, which has no effect after the answer. */
export type Send = (request: PeerRequest, signal: AbortSignal) => Promise<PeerResponse>;

/** Settings of {@link ConnectionPool}. */
export interface PoolOptions {
  /** Idle connections kept to each address. */
  readonly poolIdlePerHost: number;
  /** Idle connections kept in all. */
  readonly poolIdleTotal: number;
  /** How long an idle connection is kept, ms. */
  readonly poolIdleTimeoutMs: number;
}

interface Idle {
  readonly connection: HttpConnection;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Sends requests to peers over kept connections. They are direct connections, whatever proxy the
 * environment names: peers are in the same network.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #connect: Connect;
  readonly #idle = new Map<string, Idle[]>();
  readonly #busy = new Set<HttpConnection>();
  #idleTotal = 0;
  #closed = false;

  constructor(options: PoolOptions, connect: Connect = connectTcp) {
    this.#options = options;
    this.#connect = connect;
  }

  /** Connections that are open, idle ones included. */
  get open(): number {
    return this.#busy.size + this.#idleTotal;
  }

  /** Sends a request, as {@link Send} says. */
  async send(request: PeerRequest, signal: AbortSignal): Promise<PeerResponse> {
    signal.throwIfAborted();
    const kept = this.#take(keyOf(request));
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept, request, signal);
      } catch {
        // A peer may close a kept connection just when it is used again: a new one is opened.
        signal.throwIfAborted();
      }
    }
    const connection = await HttpConnection.open(
      this.#connect,
      request,
      signal,
      (idle) => this.#keep(keyOf(request), idle),
    );
    this.#busy.add(connection);
    return await this.#exchange(connection, request, signal);
  }

  /** Closes all connections, those in use as well. */
  close(): void {
    this.#closed = true;
    for (const key of [...this.#idle.keys()]) {
      for (let idle = this.#take(key); idle !== undefined; idle = this.#take(key)) idle.close();
    }
    for (const connection of this.#busy) connection.close();
    this.#busy.clear();
  }

  async #exchange(
    connection: HttpConnection,
    request: PeerRequest,
    signal: AbortSignal,
  ): Promise<PeerResponse> {
    try {
      const { status, headers } = await connection.exchange(request, signal);
      if (this.#closed) throw new Error("the connections are closed");
      if (connection.closed) this.#busy.delete(connection);
      const { secure } = connection;
      return { status, headers, body: this.#body(connection), secure };
    } catch (error) {
      this.#drop(connection);
      throw error;
    }
  }

  /** The current body of a connection. It has no effect on the connection once it has ended. */
  #body(connection: HttpConnection): PeerBody {
    let ended = connection.left === 0;
    return {
      get left() {
        return ended ? 0 : connection.left;
      },
      read: async (maxBytes) => {
        if (ended) return undefined;
        try {
          const bytes = await connection.read(maxBytes);
          ended = connection.left === 0;
          if (connection.closed) this.#busy.delete(connection);
          return bytes;
        } catch (error) {
          this.#drop(connection);
          throw error;
        }
      },
      close: () => {
        if (!ended) this.#drop(connection);
      },
    };
  }

  #drop(connection: HttpConnection): void {
    this.#busy.delete(connection);
    connection.close();
  }

  #take(key: string): HttpConnection | undefined {
    const idle = this.#idle.get(key)?.pop();
    if (idle === undefined) {
      this.#idle.delete(key);
      return undefined;
    }
    clearTimeout(idle.timer);
    this.#idleTotal--;
    this.#busy.add(idle.connection);
    return idle.connection;
  }

  #keep(key: string, connection: HttpConnection): void {
    const { poolIdlePerHost, poolIdleTotal, poolIdleTimeoutMs } = this.#options;
    const others = this.#idle.get(key) ?? [];
    const full = others.length >= poolIdlePerHost || this.#idleTotal >= poolIdleTotal;
    this.#busy.delete(connection);
    if (this.#closed || full) return connection.close();
    const timer = setTimeout(() => this.#expire(key, connection), poolIdleTimeoutMs);
    others.push({ connection, timer });
    this.#idle.set(key, others);
    this.#idleTotal++;
  }

  #expire(key: string, connection: HttpConnection): void {
    const left = (this.#idle.get(key) ?? []).filter((idle) => idle.connection !== connection);
    if (left.length === 0) this.#idle.delete(key);
    else this.#idle.set(key, left);
    this.#idleTotal--;
    connection.close();
  }
}

function keyOf({ address, port }: PeerRequest): string {
  return `${address} ${port}`;
}
