import { varint } from "../dht/dht_message.ts";

/** A question between nodes: what is the asker to do about a key? */
export interface Question {
  readonly key: string;
  /** So little that one node can send it to all. */
  readonly small: boolean;
  /** Zone of the asker, if it knows it. */
  readonly zone?: string | undefined;
  /** Id of the node that was named before and turned out to be of no use. */
  readonly failed?: string | undefined;
  /** That one does get on, but slowly. */
  readonly slow?: boolean;
}

/** The answer: get it from upstream, or from the node with this id and these multiaddrs. */
export type AssignmentReply =
  | { readonly type: "fetch" }
  | {
    readonly type: "follow";
    readonly id: string;
    /** Nodes between that one and upstream. */
    readonly depth: number;
    readonly addresses: readonly string[];
  };

/** Longest message; keys are digests or image names. */
const MAX_MESSAGE_BYTES = 4096;
const MAX_KEY_LENGTH = 1024;
const MAX_ID_LENGTH = 128;
const MAX_ADDRESSES = 16;
const MAX_DEPTH = 64;
/** Labels of Kubernetes have 63 characters at most; more than that is no zone. */
const MAX_ZONE_LENGTH = 63;

/** A message as it is sent: JSON behind its length, a varint as in the DHT's protocol. */
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
    ...{ key, failed, small: small === true },
    ...(slow === true && { slow }),
    // Whoever asks need not have one, and nobody is refused because of it.
    ...(isText(zone, MAX_ZONE_LENGTH) && { zone }),
  };
}

/** @throws {Error} if it is not an answer. */
export function decodeAssignmentReply(frame: Uint8Array): AssignmentReply {
  const { type, id, depth, addresses } = fields(frame);
  if (type === "fetch") return { type };
  if (type !== "follow" || !isText(id, MAX_ID_LENGTH) || !Array.isArray(addresses)) {
    throw new Error("answer that says neither what to do nor whom to follow");
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
