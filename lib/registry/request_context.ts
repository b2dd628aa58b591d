import type { RateLimiter } from "../async/rate_limiter.ts";
import { WholeResponse } from "../net/http/whole_response.ts";
import { ANSWER_HEADERS, YES } from "../oci/peer_protocol.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { AssignmentOutcome, MissReason } from "../ports/mirror.ts";
import type { RequestObserver } from "../ports/requests.ts";
import type { PeerRefusal } from "../ports/access.ts";
import type { Answer } from "./answer.ts";
import { type BodyEnd, observeBody, type Pace } from "./observe_body.ts";
import type { Transfers } from "./transfers.ts";

/** Which part of the registry answers a request, for the log and as a label of metrics. */
export type HandlerName =
  | "v2"
  | "manifest"
  | "blob"
  | "mirror"
  | "listing"
  | "readyz"
  | "livez"
  | "other";

/** What a context reports to. */
export interface RequestContextCollaborators extends Runtime {
  readonly transfers: Transfers;
  /** Rate of what is sent to peers; undefined: as fast as it goes. */
  readonly uploads?: Pick<RateLimiter, "take" | "pieceBytes"> | undefined;
  /** Told of requests for content, in addition to the log. */
  readonly requests?: RequestObserver | undefined;
  /** Runs work that no answer should wait for; default: at once. */
  readonly later?: ((work: () => void) => void) | undefined;
}

/** What is known of a request from the start. */
export interface RequestContextInit {
  readonly method: string;
  readonly path: string;
  /** Address of the client; empty if unknown. */
  readonly ip: string;
  readonly handler: HandlerName;
  /** The reader of the answer's body is done with each chunk when it asks for the next. */
  readonly freeTaken: boolean;
}

/** Probes come every few seconds, so they are logged at level debug. */
const PROBES: ReadonlySet<HandlerName> = new Set(["readyz", "livez"]);
/** Handlers of requests for content. */
const CONTENT: ReadonlySet<HandlerName> = new Set(["manifest", "blob", "mirror"]);
const MAX_LOGGED_PATH = 512;

/**
 * One request and its answer: collects what the log line and the metrics need, and writes both when
 * the answer's last byte has been handed on or its body has broken.
 *
 * The line has `path`, `status`, `method`, `latency` (ms until the end of the body), `ip`,
 * `handler`, `bytes` (of the body), and where they apply `registry`, `mirrored` (the client is a
 * peer), `peer` (which delivered the content), `reason` and `attempts` (of a miss), `withheld` (why
 * an outsider did not get held content), `turn` (of a miss in a rollout: why this node goes
 * upstream), `verified` (false for a tag that upstream could not be asked about), `error`.
 */
export class RequestContext {
  registry: string | undefined;
  /** The request came from another node: it is never forwarded. */
  fromPeer = false;
  peer: string | undefined;
  reason: MissReason | undefined;
  attempts: number | undefined;
  turn: AssignmentOutcome | undefined;
  /** Headers that tell a peer whose proof was not accepted how to make one. */
  refusal: Readonly<Record<string, string>> | undefined;
  /**
   * The request came neither from a client of this node nor from a peer: its content is never
   * looked up elsewhere.
   */
  stranger = false;
  /** The peer has proved that it belongs to the cluster. */
  proven = false;
  /** The peer wants only content that is not private. */
  openOnly = false;
  /** Why an outsider did not get held content. */
  withheld: PeerRefusal | undefined;
  /** The peer says that the content that it got from here was wrong. */
  isDoubted = false;
  /** The content is private, and the client's right to it has been checked. */
  entitled = false;
  /** The peer gets private content, and is told that it is private. */
  isPrivate = false;
  /** False: upstream could not be asked what the tag points to. */
  verified: boolean | undefined;
  #handler: HandlerName;
  readonly #collaborators: RequestContextCollaborators;
  readonly #request: RequestContextInit;
  readonly #startedAt: number;
  readonly #endTransfer: () => void;

  constructor(collaborators: RequestContextCollaborators, request: RequestContextInit) {
    this.#collaborators = collaborators;
    this.#request = request;
    this.#handler = request.handler;
    this.#startedAt = collaborators.clock.now();
    this.#endTransfer = collaborators.transfers.begin();
    collaborators.metrics.inFlight(this.#handler, 1);
  }

  /**
   * The request did not come from a client of this node: it is answered with held content, or not
   * at all.
   */
  get fromOutside(): boolean {
    return this.fromPeer || this.stranger;
  }

  /** IP address of the client; empty if unknown. */
  get clientAddress(): string {
    return this.#request.ip;
  }

  /** Sets the part that answers, once it is known. */
  enter(handler: HandlerName): void {
    const { metrics } = this.#collaborators;
    metrics.inFlight(this.#handler, -1);
    this.#handler = handler;
    metrics.inFlight(handler, 1);
  }

  /**
   * Turns the answer into a response. The context ends with the response's body.
   *
   * @param abandon called when the client stops reading before the end.
   */
  respond(answer: Answer, abandon: () => void): Response {
    const { status, headers, body, release, failed } = answer;
    if (this.isPrivate) headers[ANSWER_HEADERS.private] = YES;
    Object.assign(headers, this.refusal);
    if (!(body instanceof ReadableStream)) {
      const bytes = this.#request.method === "HEAD" || body === null ? 0 : byteLength(body);
      const { later = atOnce, clock } = this.#collaborators;
      const endedAt = clock.now();
      later(() => this.#end(status, { bytes, by: "source" }, endedAt));
      release?.();
      return new WholeResponse(body, { status, headers });
    }
    const observed = observeBody(body, {
      length: Number(headers["content-length"]),
      freeTaken: this.#request.freeTaken,
      ...this.#pace(),
      signal: this.#collaborators.transfers.signal,
      onEnd: (end) => {
        if (end.by !== "source" && end.error) abandon();
        if (end.by === "source" && end.error) failed?.();
        release?.();
        this.#end(status, end);
      },
    });
    return new Response(observed, { status, headers });
  }

  /** Bodies for peers are held to the rate of uploads, which peers share fairly. */
  #pace(): { pace?: Pace } {
    const { uploads } = this.#collaborators;
    if (uploads === undefined || !this.fromOutside) return {};
    const { ip } = this.#request;
    const take = (bytes: number, signal: AbortSignal) => uploads.take(ip, bytes, signal);
    return { pace: { pieceBytes: uploads.pieceBytes, take } };
  }

  #end(status: number, end: BodyEnd, endedAt = this.#collaborators.clock.now()): void {
    const { log, metrics } = this.#collaborators;
    const { method, path, ip } = this.#request;
    const latency = endedAt - this.#startedAt;
    this.#endTransfer();
    metrics.inFlight(this.#handler, -1);
    metrics.httpRequest(this.#handler, method, status, latency, end.bytes);
    if (this.fromPeer && end.bytes > 0 && status < 300) metrics.bytesServed(end.bytes, ip);

    const level = PROBES.has(this.#handler)
      ? "debug"
      : end.error && end.by === "source"
      ? "warn"
      : "info";
    log[level]("request", {
      path: path.slice(0, MAX_LOGGED_PATH),
      status,
      method,
      latency: Math.round(latency * 1000) / 1000,
      ip,
      handler: this.#handler,
      bytes: end.bytes,
      ...defined({
        registry: this.registry,
        mirrored: this.fromPeer || undefined,
        peer: this.peer,
        reason: this.reason,
        withheld: this.withheld?.replace("refused-", ""),
        attempts: this.attempts,
        turn: this.turn,
        verified: this.verified,
        error: end.error,
      }),
    });
    // A malformed request never gets beyond the first handler.
    const refused = this.#handler === "v2" && status >= 400;
    if (CONTENT.has(this.#handler) || refused) this.#record(status, latency, end);
  }

  #record(status: number, durationMs: number, end: BodyEnd): void {
    const { method, path, ip } = this.#request;
    this.#collaborators.requests?.requestEnded({
      method,
      path: path.slice(0, MAX_LOGGED_PATH),
      status,
      registry: this.registry,
      client: ip,
      fromPeer: this.fromPeer,
      peer: this.peer,
      reason: this.reason,
      bytes: end.bytes,
      durationMs,
      error: end.error?.message,
    });
  }
}

function atOnce(work: () => void): void {
  work();
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(fields)) if (value === undefined) delete fields[name];
  return fields;
}

function byteLength(body: string | Uint8Array): number {
  return typeof body === "string" ? new TextEncoder().encode(body).length : body.length;
}
