import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";
import type { PeerAdmission } from "../ports/access.ts";
import { type Repositories, repositoryName } from "./repositories.ts";
import type { RepositoryContent } from "./repository_content.ts";

/** What is known of repositories and of what is in them. */
export interface PeerAdmissionCollaborators {
  readonly repositories: Repositories;
  readonly content: RepositoryContent;
}

/** Tells what another node may have, as `Access.admitPeer` does. */
export function admitPeer(
  { repositories, content }: PeerAdmissionCollaborators,
  reference: Reference,
  digest: Digest,
  authenticated: boolean,
  arriving = false,
): PeerAdmission {
  const isPrivate = (name: string) => repositories.visibility(name) === "private";
  const asked = repositoryName(reference);
  if (arriving) {
    // The node's client asked here before it went to upstream: that alone tells what it is of.
    const askers = content.askedFor(digest);
    const isPublic = (name: string) => repositories.visibility(name) === "public";
    if (!askers.every(isPublic) || askers.length === 0) {
      return authenticated && askers.includes(asked) ? "private" : "refused";
    }
  }
  const names = content.repositories(digest);
  if (names.some((name) => !isPrivate(name) && content.isProven(name, digest))) return "open";
  if (!isPrivate(asked) && !names.some(isPrivate)) return "open";
  // The other node makes sure of its client's right to the repository, not of what is in it.
  return authenticated && names.includes(asked) ? "private" : "refused";
}
