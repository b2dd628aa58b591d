import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";
import type { Outsider, PeerAdmission } from "../ports/access.ts";
import type { Claim } from "./held_content.ts";
import { isKeptApart, isPrivateClaim, type Knowledge } from "./knowledge.ts";
import { portless, repositoryName } from "./repositories.ts";

/**
 * Tells what a node of the cluster may have: content that is not known to be private, and private
 * content, which it is then told is private.
 */
export function admitNode(
  { repositories, content }: Knowledge,
  reference: Reference,
  digest: Digest,
  { openOnly = false, arriving = false }: Pick<Outsider, "openOnly" | "arriving">,
): PeerAdmission {
  const asked = repositoryName(reference);
  if (arriving) {
    // A client of this node asked for it before it went upstream: only that tells which repository
    // it is of.
    const askers = content.askedFor(digest);
    const isPublic = (name: string) => repositories.visibility(name) === "public";
    if (!askers.every(isPublic) || askers.length === 0) {
      return !openOnly && askers.includes(asked) ? "private" : "refused-private";
    }
  }
  const claims = content.named(digest);
  const isPrivate = (claim: Claim) => isPrivateClaim(repositories, claim);
  if (claims.some((claim) => !isPrivate(claim) && claim.proven)) return "open";
  // The other node checks its client's right to the repository, but not whether the repository has
  // the content.
  const isOwn = ({ name }: Claim) => name === asked || name === portless(asked);
  const isOfIt = claims.some(isOwn);
  const isKept = (claim: Claim) => isOfIt ? isPrivate(claim) : isKeptApart(repositories, claim);
  const isOpen = repositories.visibility(asked) !== "private" && !claims.some(isKept);
  if (isOpen && content.claims(digest)?.overflow !== true) return "open";
  return !openOnly && isOfIt ? "private" : "refused-private";
}
