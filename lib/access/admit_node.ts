import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";
import type { Outsider, PeerAdmission } from "../ports/access.ts";
import type { Claim } from "./held_content.ts";
import { isKeptApart, isPrivateClaim, type Knowledge } from "./knowledge.ts";
import { portless, repositoryName } from "./repositories.ts";

/**
 * Tells what a node of the cluster may have: what is not known to be private, and with that told to
 * it, what is.
 */
export function admitNode(
  { repositories, content }: Knowledge,
  reference: Reference,
  digest: Digest,
  { openOnly = false, arriving = false }: Pick<Outsider, "openOnly" | "arriving">,
): PeerAdmission {
  const asked = repositoryName(reference);
  if (arriving) {
    // The node's client asked here before it went to upstream: that alone tells what it is of.
    const askers = content.askedFor(digest);
    const isPublic = (name: string) => repositories.visibility(name) === "public";
    if (!askers.every(isPublic) || askers.length === 0) {
      return !openOnly && askers.includes(asked) ? "private" : "refused-private";
    }
  }
  const claims = content.named(digest);
  const isPrivate = (claim: Claim) => isPrivateClaim(repositories, claim);
  if (claims.some((claim) => !isPrivate(claim) && claim.proven)) return "open";
  // The other node makes sure of its client's right to the repository, not of what is in it.
  const isOwn = ({ name }: Claim) => name === asked || name === portless(asked);
  const isOfIt = claims.some(isOwn);
  const isKept = (claim: Claim) => isOfIt ? isPrivate(claim) : isKeptApart(repositories, claim);
  const isOpen = repositories.visibility(asked) !== "private" && !claims.some(isKept);
  if (isOpen && content.claims(digest)?.overflow !== true) return "open";
  return !openOnly && isOfIt ? "private" : "refused-private";
}
