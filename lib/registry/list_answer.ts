import { type Listing, nextLink } from "../oci/listing.ts";
import { OCI_INDEX } from "../oci/media_type.ts";
import type { Answer } from "./answer.ts";

/** The answer with a list. */
export function listAnswer(
  listing: Listing,
  document: unknown,
  { last, more }: { readonly last: string | undefined; readonly more: boolean },
): Answer {
  const body = new TextEncoder().encode(JSON.stringify(document));
  return {
    status: 200,
    headers: {
      "content-type": listing.kind === "tags" ? "application/json" : OCI_INDEX,
      "content-length": String(body.length),
      "oci-namespace": listing.reference.registry,
      "cache-control": "no-transform",
      ...(more && last !== undefined ? { link: nextLink(listing, last) } : {}),
      ...(listing.artifactTypes.length > 0 ? { "oci-filters-applied": "artifactType" } : {}),
    },
    body,
  };
}
