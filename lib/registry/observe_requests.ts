import type { Context } from "hono";
import { ipOf } from "../net/ip.ts";
import { OciError } from "../oci/error.ts";
import type { Log } from "../ports/log.ts";
import { type Answer, errorAnswer } from "./answer.ts";
import { type ClientPresence, followClient } from "./follow_client.ts";
import {
  type HandlerName,
  RequestContext,
  type RequestContextCollaborators,
} from "./request_context.ts";
import { rawPath } from "./request_target.ts";

/** What the server tells of a connection, as the second argument of `app.fetch`. */
export interface RegistryBindings {
  remoteAddr?: Deno.Addr;
  /** The server is done with each chunk of a body when it asks for the next. */
  takesChunks?: boolean;
  /** Bytes are encrypted on the way. */
  secure?: boolean;
}

/** A request as hono hands it on. */
export type RegistryContext = Context<{ Bindings: RegistryBindings }>;
/** Answers requests; whatever it throws is answered for it. */
export type Handler = (
  c: RegistryContext,
  context: RequestContext,
  client: ClientPresence,
) => Answer | Promise<Answer>;

const API_VERSION = { "docker-distribution-api-version": "registry/2.0" };
const ALLOW = { allow: "GET, HEAD" };
/** The status that is logged if the client goes away before there is an answer. */
const CLIENT_CLOSED_REQUEST = 499;

/** Wraps handlers: each request is logged, counted, and answered whatever its handler throws. */
export function observeRequests(
  collaborators: RequestContextCollaborators,
  { isLocalClient, maxUrlLength }: {
    readonly isLocalClient: (address: string) => boolean;
    readonly maxUrlLength: number;
  },
): (name: HandlerName, handler: Handler) => (c: RegistryContext) => Promise<Response> {
  return (name, handler) => async (c) => {
    const { method, url } = c.req.raw;
    const remote = c.env?.remoteAddr;
    const ip = remote === undefined ? "" : ipOf(remote);
    const context = new RequestContext(collaborators, {
      method,
      path: rawPath(url),
      ip,
      handler: name,
      freeTaken: c.env?.takesChunks === true,
    });
    const client = followClient(c.req.raw, collaborators.transfers);
    let answer: Answer;
    try {
      if (url.length > maxUrlLength) throw urlTooLong(maxUrlLength);
      answer = await handler(c, context, client);
    } catch (thrown) {
      const isTold = context.proven || isLocalClient(ip);
      answer = failureAnswer(thrown, client, collaborators.log, isTold);
    } finally {
      client.unfollow();
    }
    if (name === "v2") Object.assign(answer.headers, API_VERSION);
    return context.respond(answer, client.abandon);
  };
}

/**
 * Any other error than an OciError is a defect: it is logged, and the client gets no detail.
 *
 * @param isTold whether the client is told why. To others it would reveal what this node can reach
 * and what it holds.
 */
function failureAnswer(
  thrown: unknown,
  client: ClientPresence,
  log: Log,
  isTold: boolean,
): Answer {
  if (thrown instanceof OciError) {
    return errorAnswer(thrown, thrown.status === 405 ? ALLOW : thrown.headers, isTold);
  }
  if (client.signal.aborted) return { status: CLIENT_CLOSED_REQUEST, headers: {}, body: null };
  log.error("request could not be handled", { error: thrown });
  return {
    status: 500,
    headers: { "content-type": "application/json" },
    body: `${JSON.stringify({ errors: [{ code: "UNKNOWN", message: "internal error" }] })}\n`,
  };
}

function urlTooLong(limit: number): OciError {
  return new OciError("NAME_INVALID", `URL is longer than ${limit} characters`, { status: 414 });
}
