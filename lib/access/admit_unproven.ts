import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { PeerAdmission } from "../ports/access.ts";
import { isPrivateClaim, type Knowledge } from "./knowledge.ts";
import type { Claim, Claims } from "./held_content.ts";
import type { Inquiries } from "./inquiries.ts";

/**
 * Tells what a client that has not proved to be a node may have: content that this node knows to be
 * public, whatever name it is asked for by. If it is not known, upstream is asked, only about names
 * under which this node itself knows the content. The content is refused if upstream does not
 * answer in time.
 */
export function admitUnproven(
  knowledge: Knowledge,
  inquiries: Pick<Inquiries, "settle">,
  { path, digest, arriving }: {
    readonly path: DistributionPath;
    readonly digest: Digest;
    readonly arriving: boolean;
  },
): PeerAdmission | Promise<PeerAdmission> {
  const { repositories, content } = knowledge;
  if (repositories.allPublic) return "open";
  const claims = content.claims(digest);
  if (claims === undefined) return admitAskedFor(knowledge, digest);
  const admission = weigh(knowledge, claims);
  if (arriving || (admission === "open" && !isStale(knowledge, claims))) return admission;
  const settled = inquiries.settle(path, digest, claims.list);
  return settled?.then(() => weigh(knowledge, content.claims(digest) ?? claims)) ?? admission;
}

/**
 * Content of which this node only knows by which names clients asked for it: it has just arrived,
 * or is still arriving.
 */
function admitAskedFor({ repositories, content }: Knowledge, digest: Digest): PeerAdmission {
  const askers = content.askedFor(digest);
  if (askers.length === 0) return "refused-unknown";
  if (askers.every((name) => repositories.allowsAnonymousPull(name))) return "open";
  const isPrivate = askers.some((name) => repositories.visibility(name) === "private");
  return isPrivate ? "refused-private" : "refused-unknown";
}

/**
 * A name alone is enough only if all repositories that name the content are public: a manifest may
 * name content that its repository does not have.
 */
function weigh({ repositories }: Knowledge, { list, overflow }: Claims): PeerAdmission {
  const isOpen = (claim: Claim) =>
    repositories.allowsAnonymousPull(claim.name) && !isPrivateClaim(repositories, claim);
  const open = list.filter(isOpen);
  if (open.some(({ proven }) => proven)) return "open";
  if (!overflow && open.length === list.length && open.every(({ weak }) => !weak)) return "open";
  if (open.length > 0) return "refused-contested";
  const isPrivate = list.some((claim) => isPrivateClaim(repositories, claim));
  return isPrivate ? "refused-private" : "refused-unknown";
}

/** Tells whether the answer of upstream that makes the content public has expired. */
function isStale({ repositories }: Knowledge, { list }: Claims): boolean {
  const proven = list.filter((claim) =>
    claim.proven && repositories.allowsAnonymousPull(claim.name)
  );
  const isDue = ({ name }: Claim) => repositories.isDueForOutsiders(name);
  return proven.length > 0 ? proven.every(isDue) : list.some(isDue);
}
