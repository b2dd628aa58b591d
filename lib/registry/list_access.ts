import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { Reference } from "../oci/reference.ts";
import type { Access } from "../ports/access.ts";
import { challenge } from "./admissions.ts";
import type { ListCall } from "./list_call.ts";

/** What {@link ListAccess} works with. */
export interface ListAccessCollaborators {
  /** Decides which clients may have which content; undefined: all may have all of it. */
  readonly access: Access | undefined;
}

/**
 * Decides what a list may tell to whom. An entry is listed only for whoever may have its manifest,
 * and only if it may know what is in the repository.
 */
export class ListAccess {
  readonly #access: Access | undefined;

  constructor({ access }: ListAccessCollaborators) {
    this.#access = access;
  }

  /**
   * Checks a client of this node by its right to some manifest of the repository.
   *
   * @returns whether peers may be asked for private entries as well.
   * @throws {OciError} 401 with a challenge, or 404; the client's abort reason if it went away.
   */
  async admitClient(
    { credentials, context, client }: ListCall,
    reference: Reference,
  ): Promise<boolean> {
    if (this.#access === undefined) return true;
    const path = { kind: "manifest" as const, reference };
    const { clientAddress } = context;
    const asked = { path, credentials, clientAddress, isListing: true };
    const admission = await this.#access.admit(asked, client);
    if (admission.type === "serve") return admission.entitled === true;
    if (admission.type === "challenge") {
      context.reason = "unauthorized";
      throw challenge(reference);
    }
    // Upstream says openly that it has no such tag: no secret, and it may have others.
    if (admission.reason === "absent-upstream") return false;
    context.reason = admission.reason;
    throw nothingKnown(reference);
  }

  /** Whether a client of this node that has been admitted may have this manifest, too. */
  async mayHave(call: ListCall, reference: Reference): Promise<boolean> {
    try {
      await this.admitClient(call, reference);
      return true;
    } catch (error) {
      if (error instanceof OciError) return false;
      throw error;
    }
  }

  /** Whether a held manifest may be listed for an outsider. Bounded in time. */
  async admitOutsider(
    { context, listing: { reference: { registry, repository } } }: ListCall,
    digest: Digest,
  ): Promise<boolean> {
    if (this.#access === undefined) return true;
    const { proven, openOnly, stranger } = context;
    const outsider = { proven, openOnly, stranger };
    const reference = { registry, repository, digest };
    const path = { kind: "manifest" as const, reference };
    // By what is found out about the content the repository may turn out to be public.
    const content = await this.#access.admitPeer(path, digest, outsider);
    const admissions = [content, this.#access.admitNames(reference, outsider)];
    const refusal = admissions.filter((one) => one !== "open").find((one) => one !== "private");
    if (refusal !== undefined) {
      context.withheld = refusal;
      return false;
    }
    if (admissions.includes("private")) context.isPrivate = true;
    return true;
  }
}

/**
 * The answer where nothing may be told, whether there is something or not. On NAME_UNKNOWN clients do
 * not look for the referrers tag (oras-go, registry/remote/repository.go).
 */
export function nothingKnown({ registry, repository, digest }: Reference): OciError {
  const [code, what] = digest === undefined
    ? ["NAME_UNKNOWN" as const, ""]
    : ["MANIFEST_UNKNOWN" as const, "referrers in "];
  return new OciError(code, `nothing is known here of ${what}${registry}/${repository}`, {
    status: 404,
  });
}
