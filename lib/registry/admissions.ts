import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { Reference } from "../oci/reference.ts";
import type { Access } from "../ports/access.ts";
import type { Metrics } from "../ports/metrics.ts";
import { unknownContent } from "./answer.ts";
import type { Call } from "./call.ts";

/** What {@link Admissions} work with. */
export interface AdmissionCollaborators {
  /** Decides which clients may have which content; undefined: all may have all of it. */
  readonly access: Access | undefined;
  readonly metrics: Pick<Metrics, "mirrorRequest">;
}

/** Lets clients and other nodes have only what they may, and turns refusals into answers. */
export class Admissions {
  readonly #access: Access | undefined;
  readonly #metrics: Pick<Metrics, "mirrorRequest">;

  constructor({ access, metrics }: AdmissionCollaborators) {
    this.#access = access;
    this.#metrics = metrics;
  }

  /** Whether the client may have whatever peers have: its right is known, or needs no check. */
  isSettled({ context }: Call): boolean {
    return this.#access === undefined || context.entitled;
  }

  /** Whether a client's right to private content is checked at all. */
  get checksPrivate(): boolean {
    return this.#access !== undefined;
  }

  /**
   * Checks whether a local client may have the content that it asks for.
   *
   * @param suspectedPrivate a peer says that the content is private.
   * @returns the digest that upstream names for the tag of the request; undefined for a request by
   * digest, or if upstream did not say.
   * @throws {OciError} 401 with a challenge, on which containerd shows its credentials or goes on to
   * upstream, or 404; the client's abort reason if it went away.
   */
  async admit({ request, context, client }: Call, suspectedPrivate = false): Promise<
    Digest | undefined
  > {
    const { path, credentials } = request;
    if (this.#access === undefined) return undefined;
    const { clientAddress } = context;
    const admission = await this.#access.admit(
      { path, credentials, clientAddress, suspectedPrivate },
      client,
    );
    if (admission.type === "serve") {
      const { digest, verified, entitled = false } = admission;
      context.entitled = entitled;
      if (path.reference.tag === undefined) return undefined;
      if (!verified) context.verified = false;
      return digest;
    }
    const reason = admission.type === "challenge" ? "unauthorized" : admission.reason;
    // Other peers may still have it as content that everybody may have.
    if (!suspectedPrivate) this.#metrics.mirrorRequest(path.reference.registry, "miss", reason);
    context.reason = reason;
    if (admission.type !== "challenge") throw unknownContent(path, { reason });
    throw credentials === undefined ? challenge(path.reference) : refusal(path.reference);
  }

  /**
   * Checks whether an outsider may have content that is held or arriving here.
   *
   * @throws {OciError} 404, as if the content were not held: an outsider that may not have it need
   * not know of it.
   */
  async admitOutsider(
    { request: { path }, context }: Call,
    digest: Digest,
    { arriving }: { readonly arriving: boolean } = { arriving: false },
  ): Promise<void> {
    const { proven, openOnly, stranger } = context;
    const outsider = { proven, openOnly, stranger, arriving };
    const decided = this.#access?.admitPeer(path, digest, outsider) ?? "open";
    const admission = typeof decided === "string" ? decided : await decided;
    context.isPrivate = admission === "private";
    if (admission === "open" || admission === "private") return;
    context.reason = "unauthorized";
    context.withheld = admission;
    throw unknownContent(path, { reason: "not held" });
  }
}

/** RFC 7617, section 2. containerd answers with the image's credentials from the kubelet, if any. */
export function challenge({ registry, repository }: Reference): OciError {
  return unauthorized(
    `${registry}/${repository} is private`,
    `Basic realm="${registry}/${repository}", charset="UTF-8"`,
  );
}

/**
 * The answer to credentials that upstream refused. containerd takes this form (RFC 6750, section 3,
 * without a realm, so that nothing is sent anywhere) for a lasting refusal, whose text it shows to the
 * user unless upstream's own answer says more. Asked by Basic again it would show this mirror's
 * address, and after a 404 it says that the image does not exist, though a token server refused.
 */
function refusal({ registry, repository }: Reference): OciError {
  const message = `${registry} refuses these credentials for ${repository}`;
  return unauthorized(message, `Bearer error="${message}"`);
}

function unauthorized(message: string, authenticate: string): OciError {
  return new OciError("UNAUTHORIZED", message, {
    status: 401,
    headers: { "www-authenticate": authenticate },
  });
}
