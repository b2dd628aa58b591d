import type { MissReason } from "./mirror.ts";

/** A finished request for content. */
export interface RequestRecord {
  readonly method: string;
  /** Path without query; untrusted, as sent by the client. */
  readonly path: string;
  readonly status: number;
  /** Requested registry; undefined if the request was rejected earlier. */
  readonly registry: string | undefined;
  /** IP address of the client; empty if unknown. */
  readonly client: string;
  /** The client is another node. */
  readonly fromPeer: boolean;
  /** Id of the peer that served it; undefined if none did. */
  readonly peer: string | undefined;
  /** Why the mirror had no content. */
  readonly reason: MissReason | undefined;
  /** Bytes of the response's body that were passed on. */
  readonly bytes: number;
  /** From the request to the end of the response's body, ms. */
  readonly durationMs: number;
  /** What broke the response; undefined if nothing did. */
  readonly error: string | undefined;
}

/** Observes finished requests for content. */
export interface RequestObserver {
  /** Cheap, and never throws. */
  requestEnded(record: RequestRecord): void;
}
