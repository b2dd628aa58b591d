import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { type ByteRange, resolveRange } from "../oci/range.ts";
import type { Access } from "../ports/access.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Integrity } from "../ports/integrity.ts";
import type { Admissions } from "./admissions.ts";
import { type Answer, contentAnswer, unknownContent } from "./answer.ts";
import type { Call } from "./call.ts";
import type { FilteredReferences } from "./filtered_references.ts";
import type { LocalContent, OpenContent } from "./local_content.ts";
import type { RequestContext } from "./request_context.ts";
import { takeUploadSlot, type UploadSlots } from "./upload_slots.ts";

/** What {@link LocalAnswers} work with. */
export interface LocalAnswersCollaborators {
  readonly content: LocalContent;
  readonly admissions: Admissions;
  readonly references: FilteredReferences;
  readonly uploads: UploadSlots;
  /** Learns which content manifests name; undefined: access is not restricted. */
  readonly access: Pick<Access, "learn"> | undefined;
  /** Told of content of the store that seems to be damaged; undefined: damage is not reported. */
  readonly integrity: Pick<Integrity, "doubt"> | undefined;
}

/** The answer from the own store; without one, the digest that a tag has here, if it is known. */
export interface LocalOutcome {
  readonly answer?: Answer | undefined;
  readonly resolved?: Digest | undefined;
}

/** Answers requests with content of the own store. */
export class LocalAnswers {
  readonly #collaborators: LocalAnswersCollaborators;

  constructor(collaborators: LocalAnswersCollaborators) {
    this.#collaborators = collaborators;
  }

  /**
   * @throws {OciError} 404 if the content is of the other kind, is filtered or may not be had, 416
   * for a range outside of it, 429 if as many blobs as allowed are on their way to peers; the
   * client's abort reason if it went away.
   */
  async serve(call: Call): Promise<LocalOutcome> {
    const { content, admissions, references, integrity } = this.#collaborators;
    const { request: { path }, context, client } = call;
    const finding = await content.find(path, client);
    if (finding.state === "absent") return { resolved: finding.resolved };
    if (finding.state === "misplaced") {
      // Peers apply the same rule, so they are not asked. Outsiders need not know that it is held.
      throw unknownContent(path, {
        reason: context.fromOutside ? "not held" : `not a ${path.kind}`,
      });
    }
    const { descriptor, descriptor: { digest } } = finding;
    if (!references.allows(path, digest)) throw references.refusal(path, context);
    if (context.fromOutside) await admissions.admitOutsider(call, digest);
    if (context.isDoubted) {
      integrity?.doubt(digest, { address: context.clientAddress, proven: context.proven });
    }
    const answer = path.kind === "manifest"
      ? await this.#manifest(call, descriptor)
      : await this.#blob(call, descriptor);
    return { answer, resolved: digest };
  }

  async #manifest(
    { request: { method, path }, context, client }: Call,
    descriptor: Descriptor,
  ): Promise<Answer | undefined> {
    const { content, access } = this.#collaborators;
    const found = { path, descriptor, range: undefined };
    // A client that learns a tag's digest asks for it next: the manifest must be here, and right.
    const isRead = method === "GET" || path.reference.tag !== undefined;
    if (!isRead) return contentAnswer({ ...found, body: null });
    const body = await content.readManifest(descriptor, client);
    if (body === undefined) return undefined;
    if (!context.fromOutside) access?.learn(path.reference, body);
    return contentAnswer({ ...found, body: method === "GET" ? body : null });
  }

  async #blob(
    { request: { method, path, range: rangeHeader }, context, client }: Call,
    descriptor: Descriptor,
  ): Promise<Answer | undefined> {
    const { integrity } = this.#collaborators;
    const range = resolveRange(rangeHeader, descriptor.size);
    if (method === "HEAD") return contentAnswer({ path, descriptor, range, body: null });
    // Only here: to follow a client costs time.
    const { signal } = client;
    const opened = await this.#open(context, descriptor, { range, signal });
    const failed = () => integrity?.doubt(descriptor.digest);
    return opened && contentAnswer({ path, descriptor, range, failed, ...opened });
  }

  /**
   * Opens a blob, for a peer only while not too many are sent.
   *
   * @throws {OciError} 429 (RFC 6585, section 4): the peer asks another, or a little later.
   */
  async #open(
    { fromOutside }: RequestContext,
    descriptor: Descriptor,
    options: Cancellable & { readonly range: ByteRange | undefined },
  ): Promise<OpenContent | undefined> {
    const { content, uploads } = this.#collaborators;
    const giveBack = fromOutside ? takeUploadSlot(uploads) : () => {};
    try {
      const opened = await content.openBlob(descriptor, options);
      if (opened === undefined) giveBack();
      return opened && {
        body: opened.body,
        release: () => {
          giveBack();
          opened.release();
        },
      };
    } catch (error) {
      giveBack();
      throw error;
    }
  }
}
