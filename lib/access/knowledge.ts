import type { Digest } from "../oci/digest.ts";
import type { Claim } from "./held_content.ts";
import { portless, type Repositories } from "./repositories.ts";
import type { RepositoryContent } from "./repository_content.ts";

/** What is known of repositories and of what is in them. */
export interface Knowledge {
  readonly repositories: Repositories;
  readonly content: RepositoryContent;
}

/** Tells whether a repository that names content is private, whatever its registry's port is. */
export function isPrivateClaim(repositories: Repositories, { name, portless }: Claim): boolean {
  return repositories.visibility(name) === "private" ||
    (portless && repositories.isPrivateByPattern(name, { anyPort: true }));
}

/** Tells whether content of a repository is kept from clients that only may have another one. */
export function isKeptApart(repositories: Repositories, claim: Claim): boolean {
  return isPrivateClaim(repositories, claim) || repositories.isWithheld(claim.name);
}

/**
 * Tells whether content is not proven to be in this repository, and another one that is private or
 * withheld names it, or more name it than are remembered.
 */
export function isPrivateElsewhere(
  { repositories, content }: Knowledge,
  repository: string,
  digest: Digest,
): boolean {
  if (content.isProven(repository, digest)) return false;
  if (content.claims(digest)?.overflow === true) return true;
  const isOwn = (claim: Claim) =>
    claim.name === (claim.portless ? portless(repository) : repository);
  return content.named(digest).some((claim) => !isOwn(claim) && isKeptApart(repositories, claim));
}

/** Tells whether a repository names content, and no other repository that is private does. */
export function isOnlyOf(knowledge: Knowledge, repository: string, digest: Digest): boolean {
  return knowledge.content.named(digest).some(({ name }) => name === repository) &&
    !isPrivateElsewhere(knowledge, repository, digest);
}
