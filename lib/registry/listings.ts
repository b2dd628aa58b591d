import { Slots } from "../async/slots.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import type { Access } from "../ports/access.ts";
import type { Catalog } from "../ports/catalog.ts";
import type { Mirror } from "../ports/mirror.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Answer } from "./answer.ts";
import { ListAccess } from "./list_access.ts";
import type { ListCall } from "./list_call.ts";
import type { LocalContent } from "./local_content.ts";
import { ReferrerLists, type ReferrerListsOptions } from "./referrer_lists.ts";
import type { RequestContext } from "./request_context.ts";
import { TagLists } from "./tag_lists.ts";

/** What {@link createListings} works with. */
export interface ListingsCollaborators extends Pick<Runtime, "clock"> {
  /** What this node holds; default: it does not say. */
  readonly catalog?: Catalog | undefined;
  readonly content: LocalContent;
  readonly mirror: Pick<Mirror, "lists" | "fetch">;
  /** Decides which clients may have which content; undefined: all may have all of it. */
  readonly access: Access | undefined;
  /** References that do not pass are neither listed nor looked up. */
  readonly filter: ReferenceFilter;
}

/** Answers requests for lists. */
export type Listings = (method: "GET" | "HEAD", call: ListCall) => Promise<Answer>;

/**
 * Lists that are collected at the same time for clients of this node, as many for nodes that have
 * shown a token, for others that say that they are nodes, and for strangers. It bounds memory and
 * questions to peers.
 */
const MAX_ACTIVE = 4;

/**
 * Makes the handler of requests for tags and referrers (distribution specification, end-8 and
 * end-12). It lists what this node holds, and for clients of this node also what a few peers hold:
 * others ask for themselves. A list never says that there is no more upstream, so that one without
 * any entry is answered 404, on which clients ask elsewhere.
 */
export function createListings(
  collaborators: ListingsCollaborators,
  options: ReferrerListsOptions,
): Listings {
  const access = new ListAccess(collaborators);
  const tags = new TagLists({ ...collaborators, access });
  const referrers = new ReferrerLists({ ...collaborators, access }, options);
  const clients = new Slots(MAX_ACTIVE);
  const nodes = new Slots(MAX_ACTIVE);
  const unproven = new Slots(MAX_ACTIVE);
  const strangers = new Slots(MAX_ACTIVE);
  const slotsOf = ({ fromPeer, proven, stranger }: RequestContext) => {
    if (fromPeer) return proven ? nodes : unproven;
    return stranger ? strangers : clients;
  };
  return async (method, call) => {
    const { listing, context } = call;
    context.registry = listing.reference.registry;
    context.enter("listing");
    const answer = await slotsOf(context).run(() => {
      call.client.signal.throwIfAborted();
      return listing.kind === "tags" ? tags.serve(call) : referrers.serve(call);
    });
    // What was left out of a list that is told is no miss.
    Object.assign(context, { reason: undefined, withheld: undefined });
    return method === "GET" ? answer : { ...answer, body: null };
  };
}
