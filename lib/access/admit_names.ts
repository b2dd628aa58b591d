import type { Reference } from "../oci/reference.ts";
import type { Outsider, PeerAdmission } from "../ports/access.ts";
import type { AuthorizerOptions } from "./authorizer_settings.ts";
import type { Knowledge } from "./knowledge.ts";
import { repositoryName } from "./repositories.ts";

/**
 * Tells whether a client that is not of this node may know what is in a repository. Content that is
 * public somewhere may be had by its digest under any name, but the names in a private repository
 * are a secret of their own.
 */
export function admitNames(
  { repositories }: Pick<Knowledge, "repositories">,
  { localOnly }: Pick<AuthorizerOptions, "localOnly">,
  { repository, outsider: { proven, openOnly = false, stranger = false } }: {
    readonly repository: Reference;
    readonly outsider: Outsider;
  },
): PeerAdmission {
  const name = repositoryName(repository);
  const isPrivate = repositories.visibility(name) === "private";
  if (proven) {
    if (!isPrivate && !repositories.isWithheld(name)) return "open";
    return openOnly ? "refused-private" : "private";
  }
  if (stranger && localOnly) return "refused-stranger";
  if (repositories.allPublic || (!isPrivate && repositories.allowsAnonymousPull(name))) {
    return "open";
  }
  return isPrivate ? "refused-private" : "refused-unknown";
}
