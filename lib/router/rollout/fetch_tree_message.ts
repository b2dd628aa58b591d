import { varint } from "../dht/dht_message.ts";

/** A node's request for an assignment for a key. */
export interface Question {
  readonly key: string;
  /** So small that one node can send it to all others. */
  readonly small: boolean;
  /** Zone of the asking node, if known. */
  readonly zone?: string | undefined;
  /** Id of the previously assigned parent, if it failed. */
  readonly failed?: string | undefined;
  /** That parent makes progress, but slowly. */
  readonly slow?: boolean;
}

/** The answer: fetch from upstream, or follow the node with this id and these multiaddrs. */
export type AssignmentReply =
  | { readonly type: "fetch" }
  | {
    readonly type: "follow";
    readonly id: string;
    /** Number of nodes between the parent and upstream. */
    readonly depth: number;
    readonly addresses: readonly string[];
  };

/** Longest message, bytes; keys are digests or image names. */
const MAX_MESSAGE_BYTES = 4096;
const MAX_KEY_LENGTH = 1024;
const MAX_ID_LENGTH = 128;
const MAX_ADDRESSES = 16;
const MAX_DEPTH = 64;
/** Maximum length of a Kubernetes label value. */
const MAX_ZONE_LENGTH = 63;

/** Encodes a message: JSON with its length as a varint prefix, as in the DHT's protocol. */
export function encodeFetchTreeMessage(message: Question | AssignmentReply): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(message));
  const length = varint(body.length);
  const whole = new Uint8Array(length.length + body.length);
  whole.set(length);
  whole.set(body, length.length);
  return whole;
}

/** @throws {Error} if it is not a question. */
export function decodeQuestion(frame: Uint8Array): Question {
  const { key, zone, failed, small, slow } = fields(frame);
  if (!isText(key, MAX_KEY_LENGTH)) throw new Error("question without a key");
  if (failed !== undefined && !isText(failed, MAX_ID_LENGTH)) throw new Error("not an id");
  return {
    key,
    failed,
    small: small === true,
    ...(slow === true && { slow }),
    // The zone is optional, so an invalid one is ignored.
    ...(isText(zone, MAX_ZONE_LENGTH) && { zone }),
  };
}

/** @throws {Error} if it is not an answer. */
export function decodeAssignmentReply(frame: Uint8Array): AssignmentReply {
  const { type, id, depth, addresses } = fields(frame);
  if (type === "fetch") return { type };
  if (type !== "follow" || !isText(id, MAX_ID_LENGTH) || !Array.isArray(addresses)) {
    throw new Error("not an assignment");
  }
  const usable = addresses.filter((address) => isText(address, MAX_ID_LENGTH));
  const isDepth = Number.isSafeInteger(depth) && Number(depth) >= 0;
  return {
    type,
    id,
    depth: isDepth ? Math.min(Number(depth), MAX_DEPTH) : 0,
    addresses: usable.slice(0, MAX_ADDRESSES),
  };
}

function fields(frame: Uint8Array): Record<string, unknown> {
  if (frame.length > MAX_MESSAGE_BYTES) throw new RangeError("message is too long");
  const value: unknown = JSON.parse(new TextDecoder().decode(frame));
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= maxLength;
}
