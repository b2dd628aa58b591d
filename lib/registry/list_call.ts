import type { Credentials } from "../oci/credentials.ts";
import type { Listing } from "../oci/listing.ts";
import type { ClientPresence } from "./follow_client.ts";
import type { RequestContext } from "./request_context.ts";

/** A request for a list as it goes through its steps. */
export interface ListCall {
  readonly listing: Listing;
  readonly credentials: Credentials | undefined;
  readonly context: RequestContext;
  readonly client: ClientPresence;
}
