import { isIP } from "node:net";
import { isDigest } from "../../oci/digest.ts";
import { REQUEST_HEADERS, YES } from "../../oci/peer_protocol.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import type { PeerAuth } from "../../ports/access.ts";
import type { Wanted } from "./answer.ts";
import { link } from "../../async/link.ts";
import type { PeerBody, PeerRequest, PeerResponse, Send } from "./pool.ts";
import { type Contest, race, RaceOver } from "./race.ts";

/** A peer's answer, its body unread. */
export interface PeerReply extends PeerResponse {
  /** Address that answered. */
  readonly address: string;
  /** False only if this node has a cluster key and the answer does not prove that the peer has it. */
  readonly passesProof: boolean;
  /** The peer has proved that it belongs to the cluster: by the answer, or by its certificate. */
  readonly isProven: boolean;
  /** Ends the exchange, yet keeps the connection if little of the body is left to read. */
  dismiss(): void;
}

/** How asking a peer ended. */
export type Reached =
  | { readonly type: "answered"; readonly reply: PeerReply; readonly ms: number }
  /** `silent`: no headers in time. `failed`: no connection. `aborted`: by the caller's signal. */
  | { readonly type: "silent" | "failed" | "aborted"; readonly ms: number };

/** An error's body up to this size is read, so that its connection can be used again. */
const DRAIN_BYTES = 4096;
/** Time for that. */
const DRAIN_MS = 100;

/** Sent with every request: a node asks, and only for the peer's own content. */
const HEADERS = {
  "accept-encoding": "identity",
  "user-agent": "eddy",
  [REQUEST_HEADERS.mirrored]: YES,
};

/** Settings of {@link PeerClient}. */
export interface PeerClientOptions {
  /** Time until headers, ms. */
  readonly responseTimeoutMs: number;
  /** Delay between attempts at several addresses, ms. */
  readonly addressStaggerMs: number;
}

/** What {@link PeerClient} works with. */
export interface PeerClientCollaborators {
  readonly clock: Clock;
  readonly send: Send;
  /** `Authorization` headers that peers may want, the likeliest first. */
  readonly authorizations: () => readonly string[];
  /** Proves to peers that this node belongs to the cluster; undefined: there is no proof. */
  readonly peerAuth: ProvePeers | undefined;
}

/** The part of {@link PeerAuth} that makes proofs and checks those of answers. */
export type ProvePeers = Pick<PeerAuth, "sign" | "renew" | "verifyAnswer">;

/** A request to a peer at one of its addresses. */
type Asked = PeerRequest & Pick<Wanted, "range" | "openOnly" | "isDoubted"> & {
  readonly peer: string;
};

/** Sends one request to one peer, at the first of its addresses that answers. */
export class PeerClient {
  readonly #collaborators: PeerClientCollaborators;
  readonly #options: PeerClientOptions;

  constructor(collaborators: PeerClientCollaborators, options: PeerClientOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /**
   * Never rejects. After an answer the signal has no effect any more: only closing its body ends
   * it.
   *
   * @param options `preferred`: address to try first, if the peer (still) has it; `budgetMs`: how
   * long it may take to answer with headers, default as the options say.
   */
  async reach(
    peer: Peer,
    wanted: Pick<Wanted, "path" | "method" | "range" | "openOnly" | "isDoubted">,
    signal: AbortSignal,
    { preferred, budgetMs = this.#options.responseTimeoutMs }: {
      readonly preferred?: string | undefined;
      readonly budgetMs?: number | undefined;
    } = {},
  ): Promise<Reached> {
    const { clock } = this.#collaborators;
    const began = clock.now();
    const addresses = order(peer.addresses, preferred)[Symbol.iterator]();
    const contest: Contest<string, PeerReply> = {
      next: () => Promise.resolve(addresses.next().value),
      ask: (address, turn) =>
        this.#ask(
          { ...wanted, address, port: peer.registryPort, headers: {}, peer: peer.id },
          turn,
        ),
      hedgeMs: (address) => this.#options.addressStaggerMs * (address === preferred ? 4 : 1),
      discard: (reply) => reply.body.close(),
    };
    try {
      const result = await race(contest, clock, {
        signal,
        budgetMs,
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
    request: Asked,
    signal: AbortSignal,
  ): Promise<PeerReply> {
    const { peerAuth } = this.#collaborators;
    const { response, passesProof } = peerAuth === undefined
      ? { response: await this.#send(request, signal), passesProof: true }
      : await this.#sendProven(request, peerAuth, signal);
    const dismiss = () => void this.#drain(response.body);
    const isProven = response.secure === true || (peerAuth !== undefined && passesProof);
    return { ...response, address: request.address, passesProof, isProven, dismiss };
  }

  async #drain(body: PeerBody): Promise<void> {
    if (body.left > DRAIN_BYTES) return body.close();
    const timer = link();
    this.#collaborators.clock.sleep(DRAIN_MS, timer).then(() => body.close(), () => {});
    try {
      while (body.left > 0) await body.read(DRAIN_BYTES);
    } catch {
      body.close();
    } finally {
      timer.abort();
    }
  }

  /**
   * The proof replaces the mirror's credentials, which every peer in the index would get otherwise.
   * A peer that has restarted requires another proof, and says so.
   *
   * @param again the peer has said so already.
   */
  async #sendProven(
    asked: Asked,
    peerAuth: ProvePeers,
    signal: AbortSignal,
    again = false,
  ): Promise<{ readonly response: PeerResponse; readonly passesProof: boolean }> {
    const { range, openOnly, isDoubted, peer, ...request } = asked;
    const proof = await peerAuth.sign({ ...request, peer });
    const { id, headers } = proof;
    const response = await this.#collaborators.send({
      ...request,
      headers: { ...headersOf({ range, openOnly, isDoubted }), ...headers },
    }, signal);
    if (peerAuth.renew?.({ ...request, peer }, proof, response.headers) && !again) {
      void this.#drain(response.body);
      return await this.#sendProven(asked, peerAuth, signal, true);
    }
    const digest = response.headers.get("docker-content-digest") ?? "";
    const passesProof = isDigest(digest) &&
      await peerAuth.verifyAnswer(id, { digest, headers: response.headers });
    return { response, passesProof };
  }

  /** While credentials are being replaced, peers may still require the previous ones. */
  async #send(
    { range, openOnly, isDoubted, peer: _, ...request }: Asked,
    signal: AbortSignal,
  ): Promise<PeerResponse> {
    const { send, authorizations } = this.#collaborators;
    const headers = headersOf({ range, openOnly, isDoubted });
    const ask = (authorization: Record<string, string> | undefined) =>
      send({ ...request, headers: { ...headers, ...authorization } }, signal);
    const [first, ...others] = authorizations().map((authorization) => ({ authorization }));
    let response = await ask(first);
    for (const other of others) {
      if (response.status !== 401) break;
      response.body.close();
      response = await ask(other);
    }
    return response;
  }
}

function headersOf(
  { range, openOnly, isDoubted }: {
    readonly range: string | undefined;
    readonly openOnly: boolean | undefined;
    readonly isDoubted: boolean | undefined;
  },
): Record<string, string> {
  return {
    ...HEADERS,
    ...(range === undefined ? {} : { range }),
    // Peers that do not know the header are recognised by what they say of their answer.
    ...(openOnly ? { [REQUEST_HEADERS.open]: YES } : {}),
    ...(isDoubted ? { [REQUEST_HEADERS.doubt]: YES } : {}),
  };
}

/** Only IP addresses: a name would let a peer direct requests elsewhere. */
function order(addresses: readonly string[], preferred: string | undefined): string[] {
  const valid = addresses.filter((address) => isIP(address) !== 0);
  if (preferred === undefined || !valid.includes(preferred)) return valid;
  return [preferred, ...valid.filter((address) => address !== preferred)];
}
