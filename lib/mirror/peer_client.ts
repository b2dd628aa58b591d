import { isIP } from "node:net";
import type { Clock, Peer } from "../ports.ts";
import type { Wanted } from "./answer.ts";
import { link } from "../async/link.ts";
import { type Contest, race, RaceOver } from "./race.ts";

/** The part of `fetch` that is used. Bodies are byte streams, as those of `fetch` are. */
export type Fetch = (url: string, init: RequestInit & { client?: Deno.HttpClient }) => Promise<
  Response
>;

/** A peer's answer, its body unread. */
export interface Reply {
  readonly response: Response;
  /** Address that answered. */
  readonly address: string;
  /** Ends the exchange, whatever its state. */
  abort(): void;
  /** Ends it as well, yet keeps the connection if little is left to read. */
  dismiss(): void;
}

/** How asking a peer ended. */
export type Reached =
  | { readonly type: "answered"; readonly reply: Reply; readonly ms: number }
  /** `silent`: no headers in time. `failed`: no connection. `aborted`: by whoever asked. */
  | { readonly type: "silent" | "failed" | "aborted"; readonly ms: number };

/** An error's body up to this size is read, so that its connection can be used again. */
const DRAIN_BYTES = 4096;
/** Time for that. */
const DRAIN_MS = 100;

/** Settings of {@link PeerClient}. */
export interface PeerClientOptions {
  /** Time until headers, ms. */
  readonly responseTimeoutMs: number;
  /** Delay between attempts at several addresses, ms. */
  readonly addressStaggerMs: number;
}

/** What is needed to ask a peer. */
export interface PeerClientCollaborators {
  readonly clock: Clock;
  readonly fetch: Fetch;
  /** `Authorization` headers that peers may want, the likeliest first. */
  readonly authorizations: () => readonly string[];
  /** Connections; undefined for those of `fetch` itself. */
  readonly http: Deno.HttpClient | undefined;
}

/** Sends one request to one peer, at whichever of its addresses answers. */
export class PeerClient {
  readonly #collaborators: PeerClientCollaborators;
  readonly #options: PeerClientOptions;

  constructor(collaborators: PeerClientCollaborators, options: PeerClientOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /**
   * Never rejects. After an answer the signal has no more power over it, `reply.abort()` has.
   *
   * @param preferred address to try first, if the peer (still) has it.
   */
  async reach(
    peer: Peer,
    wanted: Pick<Wanted, "path" | "method" | "range">,
    signal: AbortSignal,
    preferred?: string,
  ): Promise<Reached> {
    const { clock } = this.#collaborators;
    const began = clock.now();
    const addresses = order(peer.addresses, preferred)[Symbol.iterator]();
    const contest: Contest<string, Reply> = {
      next: () => Promise.resolve(addresses.next().value),
      ask: (address, turn) =>
        this.#ask(`http://${host(address)}:${peer.registryPort}`, address, wanted, turn),
      hedgeMs: (address) => this.#options.addressStaggerMs * (address === preferred ? 4 : 1),
      discard: (reply) => reply.abort(),
    };
    try {
      const result = await race(contest, clock, {
        signal,
        budgetMs: this.#options.responseTimeoutMs,
        maxLosses: peer.addresses.length,
        maxConcurrent: 4,
      });
      const ms = clock.now() - began;
      if (result.won) return { type: "answered", reply: result.prize, ms };
      return { type: result.late ? "silent" : "failed", ms };
    } catch {
      const late = signal.reason instanceof RaceOver && signal.reason.why === "late";
      return { type: late ? "silent" : "aborted", ms: clock.now() - began };
    }
  }

  async #ask(
    origin: string,
    address: string,
    wanted: Pick<Wanted, "path" | "method" | "range">,
    signal: AbortSignal,
  ): Promise<Reply> {
    const exchange = link(signal);
    try {
      const response = await this.#send(origin, wanted, exchange.signal);
      exchange.detach();
      const abort = () => {
        exchange.abort(new RaceOver("lost"));
        // A body that nobody has begun to read is not released by the abort alone.
        if (response.body?.locked === false) response.body.cancel().catch(() => {});
      };
      return { response, address, abort, dismiss: () => void this.#drain(response, abort) };
    } catch (error) {
      exchange.abort(error);
      throw error;
    }
  }

  async #drain(response: Response, abort: () => void): Promise<void> {
    const length = Number(response.headers.get("content-length") ?? Infinity);
    if (response.body === null || length > DRAIN_BYTES) return abort();
    const timer = link();
    this.#collaborators.clock.sleep(DRAIN_MS, { signal: timer.signal }).then(abort, () => {});
    try {
      await response.arrayBuffer();
    } catch {
      abort();
    } finally {
      timer.abort();
    }
  }

  /** While credentials are being replaced peers may still want the ones before. */
  async #send(
    origin: string,
    wanted: Pick<Wanted, "path" | "method" | "range">,
    signal: AbortSignal,
  ): Promise<Response> {
    const [first, ...others] = this.#collaborators.authorizations();
    let response = await this.#sendTwice(origin, wanted, first, signal);
    for (const other of others) {
      if (response.status !== 401) break;
      response.body?.cancel().catch(() => {});
      response = await this.#sendTwice(origin, wanted, other, signal);
    }
    return response;
  }

  /** A kept connection may be closed by the peer just when it is used again: hence a second try. */
  async #sendTwice(
    origin: string,
    { path, method, range }: Pick<Wanted, "path" | "method" | "range">,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    const { fetch, http } = this.#collaborators;
    const send = () =>
      fetch(origin + path, {
        method,
        signal,
        redirect: "manual",
        headers: {
          "accept-encoding": "identity",
          "user-agent": "eddy",
          "x-spegel-mirrored": "true",
          ...(range === undefined ? {} : { range }),
          ...(authorization === undefined ? {} : { authorization }),
        },
        ...(http === undefined ? {} : { client: http }),
      });
    try {
      return await send();
    } catch (error) {
      if (signal.aborted) throw error;
      return await send();
    }
  }
}

/** IP addresses alone: a name would let a peer send requests elsewhere. */
function order(addresses: readonly string[], preferred: string | undefined): string[] {
  const valid = addresses.filter((address) => isIP(address) !== 0);
  if (preferred === undefined || !valid.includes(preferred)) return valid;
  return [preferred, ...valid.filter((address) => address !== preferred)];
}

function host(address: string): string {
  return isIP(address) === 6 ? `[${address}]` : address;
}
