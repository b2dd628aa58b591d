import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { DistributionPath } from "../oci/path.ts";
import { formatReference } from "../oci/reference.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { MissReason } from "../ports/mirror.ts";
import type { Store } from "../ports/store.ts";
import type { Access } from "../ports/access.ts";
import { unknownContent } from "./answer.ts";
import type { Call } from "./call.ts";
import type { TagOpinions } from "./tag_opinions.ts";

/** What {@link admit} works with. */
export interface AdmissionCollaborators {
  readonly access?: Access | undefined;
  readonly store: Store;
  readonly metrics: Metrics;
  /** Looks what peers take a tag for. */
  readonly tags?: Pick<TagOpinions, "compare">;
}

/**
 * Asks whether a local client may have what it asks for.
 *
 * @param suspectedPrivate a peer says that it is private.
 * @returns the path to serve: by digest if the request is by tag and upstream said what that means.
 * @throws {OciError} 401 with a challenge, which makes containerd show its credentials or go on to
 * upstream, or 404; the client's abort reason if it went away.
 */
export async function admit(
  { access, store, metrics, tags }: AdmissionCollaborators,
  { request, context, client }: Call,
  suspectedPrivate = false,
): Promise<DistributionPath> {
  const { path, credentials } = request;
  if (access === undefined) return path;
  const { clientAddress } = context;
  const admission = await access.admit(
    { path, credentials, clientAddress, suspectedPrivate },
    client,
  );
  switch (admission.type) {
    case "challenge":
      throw refused("unauthorized", challenge(path));
    case "refuse":
      throw refused(admission.reason, unknownContent(path, { reason: admission.reason }));
    case "serve": {
      const { digest, verified, entitled = false } = admission;
      context.entitled = entitled;
      if (path.reference.tag === undefined) return path;
      if (!verified) context.verified = false;
      if (digest === undefined) return path;
      const known = await store.resolve(formatReference(path.reference), client)
        .catch(() => undefined);
      if (known !== undefined && known !== digest) metrics.staleTag();
      tags?.compare(path, digest);
      return byDigest(path, digest);
    }
  }

  function refused(reason: MissReason, error: OciError): OciError {
    // Other peers may still have it, who do not say that it is private.
    if (!suspectedPrivate) metrics.mirrorRequest(path.reference.registry, "miss", reason);
    context.reason = reason;
    return error;
  }
}

/**
 * Lets an outsider have only what it may.
 *
 * @throws {OciError} 404, as if the content were not held: who may not have it need not know of it.
 */
export async function admitOutsider(
  { access }: AdmissionCollaborators,
  { request: { path }, context }: Call,
  digest: Digest,
  { arriving }: { readonly arriving: boolean } = { arriving: false },
): Promise<void> {
  const { proven, openOnly, stranger } = context;
  const decided = access?.admitPeer(path, digest, { proven, openOnly, stranger, arriving }) ??
    "open";
  const admission = typeof decided === "string" ? decided : await decided;
  context.isPrivate = admission === "private";
  if (admission === "open" || admission === "private") return;
  context.reason = "unauthorized";
  context.withheld = admission;
  throw unknownContent(path, { reason: "not held" });
}

function byDigest(path: DistributionPath, digest: Digest): DistributionPath {
  const { registry, repository } = path.reference;
  return { ...path, reference: { registry, repository, digest } };
}

/** RFC 7617, section 2. containerd answers with what the kubelet gave it for the image, if anything. */
function challenge({ reference: { registry, repository } }: DistributionPath): OciError {
  return new OciError("UNAUTHORIZED", `${registry}/${repository} is private`, {
    status: 401,
    headers: { "www-authenticate": `Basic realm="${registry}/${repository}", charset="UTF-8"` },
  });
}
