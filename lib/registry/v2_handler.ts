import { OciError } from "../oci/error.ts";
import { parseListing } from "../oci/listing.ts";
import { parseDistributionPath } from "../oci/path.ts";
import { ANSWER_HEADERS, isYes, REQUEST_HEADERS } from "../oci/peer_protocol.ts";
import type { Access, PeerAuth } from "../ports/access.ts";
import type { Store } from "../ports/store.ts";
import { credentialsOf } from "./client_credentials.ts";
import type { Listings } from "./listings.ts";
import type { Handler } from "./observe_requests.ts";
import { completeListAnswer, completePeerAnswer, proofOf } from "./peer_answer.ts";
import type { Pull } from "./pull.ts";
import { applicableRange } from "./range_header.ts";
import { noSuchEndpoint, requestPath } from "./request_target.ts";

/** What {@link createV2Handler} works with. */
export interface V2Collaborators {
  readonly pull: Pull;
  readonly listings: Listings;
  readonly store: Store;
  /** Tells clients of this node from strangers; undefined: there are no strangers. */
  readonly access: Pick<Access, "isLocalClient"> | undefined;
  /** Tells nodes of the cluster from others; undefined: nothing proves it. */
  readonly peerAuth: PeerAuth | undefined;
}

/** Settings of {@link createV2Handler}. */
export interface V2Options {
  /** Peer id of this node, which `/v2/` tells; undefined: it does not. */
  readonly nodeId: string | undefined;
  /** Peers are answered over secure connections only. */
  readonly securePeers: boolean;
  /** `Authorization` headers of which a request must have one; none: all clients are served. */
  readonly authorizations: () => readonly string[];
}

/** Makes the handler below `/v2/`: reads the request, and proves the answer to another node. */
export function createV2Handler(
  { pull, listings, store, access, peerAuth }: V2Collaborators,
  { nodeId, securePeers, authorizations }: V2Options,
): Handler {
  const isNode: Record<string, string> = nodeId === undefined
    ? {}
    : { [ANSWER_HEADERS.node]: nodeId };
  return async (c, context, client) => {
    const { raw } = c.req;
    const isPeer = isYes(raw.headers, REQUEST_HEADERS.mirrored);
    if (isPeer && securePeers && c.env?.secure !== true) throw tlsOnly();
    const proof = isPeer ? await proofOf(raw, peerAuth) : undefined;
    if (proof === undefined) context.refusal = peerAuth?.refusal?.(raw.headers);
    const credentials = credentialsOf(raw, authorizations(), proof !== undefined);
    context.proven = proof !== undefined;
    context.openOnly = isYes(raw.headers, REQUEST_HEADERS.open);
    const method = raw.method === "HEAD" ? "HEAD" : "GET";
    const pathname = requestPath(raw.url);
    if (pathname === "/v2/" || pathname === "/v2") {
      return {
        status: 200,
        headers: { "content-type": "application/json", ...isNode },
        body: "{}",
      };
    }
    context.fromPeer = isPeer;
    context.stranger = !isPeer && access?.isLocalClient(context.clientAddress) === false;
    context.isDoubted = isPeer && isYes(raw.headers, REQUEST_HEADERS.doubt);
    // Peers send an empty `ns` when they do not know the registry.
    const path = parseDistributionPath(pathname, c.req.query("ns") || undefined);
    if (path === undefined) {
      const listing = parseListing(pathname, (name) => c.req.queries(name) ?? []);
      if (listing === undefined) throw noSuchEndpoint(raw.url);
      const answer = await listings(method, { listing, credentials, context, client });
      return isPeer ? await completeListAnswer(answer, proof) : answer;
    }
    const range = applicableRange(method, path, raw.headers);
    const answer = await pull({ method, path, range, credentials }, context, client);
    return isPeer
      ? await completePeerAnswer(answer, path.reference, { store, proof }, client)
      : answer;
  };
}

function tlsOnly(): OciError {
  return new OciError("DENIED", "nodes are served by TLS only, at another port", { status: 403 });
}
