import type { MissReason } from "./mirror.ts";

/** A request for content that has ended. */
export interface RequestRecord {
  readonly method: string;
  /** Path without query; sent by a client, so anything may be in it. */
  readonly path: string;
  readonly status: number;
  /** Registry that was asked for; undefined if the request was refused before that was known. */
  readonly registry: string | undefined;
  /** IP address of the client; empty if unknown. */
  readonly client: string;
  /** The client is another node. */
  readonly fromPeer: boolean;
  /** Id of the peer that delivered; undefined if none did. */
  readonly peer: string | undefined;
  /** Why the mirror had nothing. */
  readonly reason: MissReason | undefined;
  /** Bytes of the answer's body that were handed on. */
  readonly bytes: number;
  /** From the request to the end of the answer's body, ms. */
  readonly durationMs: number;
  /** What broke the answer; undefined if nothing did. */
  readonly error: string | undefined;
}

/** Is told of requests for content that have ended. */
export interface RequestObserver {
  /** Cheap, and never throws. */
  requestEnded(record: RequestRecord): void;
}
