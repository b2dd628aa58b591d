import { deadline } from "../async/deadline.ts";
import { mapConcurrent } from "../async/map_concurrent.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import { OCI_INDEX } from "../oci/media_type.ts";
import type { Reference } from "../oci/reference.ts";
import { parseReferrer, type ReferrerDescriptor } from "../oci/referrer.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Catalog } from "../ports/catalog.ts";
import type { Mirror } from "../ports/mirror.ts";
import type { Answer } from "./answer.ts";
import { type ListAccess, nothingKnown } from "./list_access.ts";
import type { LocalContent } from "./local_content.ts";
import { listAnswer } from "./list_answer.ts";
import type { ListCall } from "./list_call.ts";

/** What {@link ReferrerLists} work with. */
export interface ReferrerListsCollaborators {
  readonly catalog?: Catalog | undefined;
  readonly content: LocalContent;
  readonly mirror: Pick<Mirror, "lists" | "fetch">;
  readonly access: ListAccess;
  readonly filter: ReferenceFilter;
}

/** Settings of {@link ReferrerLists}. */
export interface ReferrerListsOptions {
  /**
   * How long manifests may be read; what has been read by then is listed. Default 5000, as the first
   * question to an upstream that hangs takes a second, and the next ones none.
   */
  readonly listTimeoutMs?: number;
}

/** The most referrers of one answer, and their bytes, unless the first alone is larger. */
const MAX_REFERRERS = 128;
const MAX_BYTES = 512 * 1024;
/** Manifests that are read at the same time. */
const CONCURRENCY = 4;

/** A manifest that may be a referrer. */
interface Candidate {
  readonly digest: Digest;
  /** It is held here; otherwise a peer names it. */
  readonly isHeld: boolean;
}

/** Reads a manifest for a client that may have it. */
type Read = (candidate: Candidate, options: Cancellable) => Promise<Uint8Array | undefined>;

/** Where the entries of a list come from. */
interface Sources {
  readonly candidates: readonly Candidate[];
  readonly read: Read;
  /** Peers know of referrers that belong together with the subject. */
  readonly isKnown?: boolean;
  /** A peer has more after this one, so that nothing beyond may be listed yet. */
  readonly end?: string | undefined;
}

/**
 * Lists manifests that are about a subject. Each is read and verified, so that nobody can make one
 * up, and listed as it says of itself.
 */
export class ReferrerLists {
  readonly #collaborators: ReferrerListsCollaborators;
  readonly #readMs: number;

  constructor(collaborators: ReferrerListsCollaborators, options: ReferrerListsOptions) {
    this.#collaborators = collaborators;
    this.#readMs = options.listTimeoutMs ?? 5000;
  }

  /** @throws {OciError} 401 or 404 if nothing may be told, or nothing is known. */
  async serve(call: ListCall): Promise<Answer> {
    const { listing } = call;
    const { reference, last = "", artifactTypes } = listing;
    if (!this.#collaborators.filter(reference)) throw nothingKnown(reference);
    const { candidates, read, isKnown = false, end } = call.context.fromOutside
      ? this.#forOutsider(call)
      : await this.#forClient(call);
    const after = candidates.filter(({ digest }) =>
      digest > last && digest <= (end ?? digest) &&
      this.#collaborators.filter({ ...reference, digest })
    ).sort((a, b) => a.digest < b.digest ? -1 : 1);
    const { found, next = end, isCut } = await this.#read(call, after, read);
    // No list is empty only because there was no time.
    const isSure = found.length > 0 || next !== undefined ||
      (!isCut && (isKnown || await this.#isRelated(call, read)));
    if (!isSure) throw nothingKnown(reference);
    const isWanted = ({ artifactType = "" }: ReferrerDescriptor) =>
      artifactTypes.length === 0 || artifactTypes.includes(artifactType);
    const manifests = found.filter(isWanted);
    const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
    return listAnswer(listing, document, { last: next, more: next !== undefined });
  }

  /**
   * Whether the client may know of referrers that belong together with the subject. Clients that
   * were told of those once take a 404 for a failure (oras-go, registry/remote/repository.go).
   */
  async #isRelated({ listing: { reference }, client }: ListCall, read: Read): Promise<boolean> {
    const { catalog, filter } = this.#collaborators;
    if (reference.digest === undefined) return false;
    using limit = deadline(this.#readMs, client);
    const related = catalog?.relatedReferrers(reference, reference.digest) ?? [];
    for (const digest of related.filter((digest) => filter({ ...reference, digest }))) {
      const content = await read({ digest, isHeld: true }, limit).catch(() => undefined);
      client.signal.throwIfAborted();
      if (content !== undefined) return true;
    }
    return false;
  }

  #forOutsider(call: ListCall): Sources {
    const { access } = this.#collaborators;
    return {
      candidates: this.#held(call),
      read: async ({ digest }, options) =>
        await access.admitOutsider(call, digest)
          ? await this.#readHeld(call, digest, options)
          : undefined,
    };
  }

  /** A client is admitted by its right to the subject, and to each manifest that is held. */
  async #forClient(call: ListCall): Promise<Sources> {
    const { access, mirror } = this.#collaborators;
    const { listing: { kind, reference, last } } = call;
    const isEntitled = await access.admitClient(call, reference);
    const held = this.#held(call);
    const lists = await mirror.lists?.({
      ...{ kind, reference, last },
      n: MAX_REFERRERS,
      openOnly: !isEntitled,
      near: [reference],
    }, call.client) ?? [];
    const ends = lists.flatMap(({ entries, more }) => more ? [entries.toSorted().at(-1) ?? ""] : [])
      .filter((entry) => entry > (last ?? ""));
    const known = new Set(held.map(({ digest }) => digest));
    const named = new Set(lists.flatMap(({ entries }) => entries).filter(isDigest));
    const others = [...named.difference(known)].map((digest) => ({ digest, isHeld: false }));
    return {
      candidates: [...held, ...others],
      isKnown: lists.some(({ entries }) => entries.length === 0),
      end: ends.sort()[0],
      read: async ({ digest, isHeld }, options) => {
        if (!isHeld) return await this.#fetch(call, digest, { ...options, isEntitled });
        return await access.mayHave(call, { ...reference, digest })
          ? await this.#readHeld(call, digest, options)
          : undefined;
      },
    };
  }

  #held({ listing: { reference } }: ListCall): Candidate[] {
    const { digest: subject } = reference;
    if (subject === undefined) return [];
    return (this.#collaborators.catalog?.referrers(reference, subject) ?? [])
      .map((digest) => ({ digest, isHeld: true }));
  }

  async #readHeld(
    { listing: { reference } }: ListCall,
    digest: Digest,
    options: Cancellable,
  ): Promise<Uint8Array | undefined> {
    const { content } = this.#collaborators;
    const path = { kind: "manifest" as const, reference: { ...reference, digest } };
    const finding = await content.find(path, options);
    return finding.state === "held"
      ? await content.readManifest(finding.descriptor, options)
      : undefined;
  }

  /**
   * Gets a manifest from peers. What everybody may have needs no right; what is private goes only
   * to a client of whose right to the repository upstream is asked, once it is known to be about
   * the subject: a peer must not choose what is asked about.
   */
  async #fetch(
    call: ListCall,
    digest: Digest,
    { isEntitled, ...options }: Cancellable & { readonly isEntitled: boolean },
  ): Promise<Uint8Array | undefined> {
    const { mirror, access } = this.#collaborators;
    const { listing: { reference } } = call;
    const wanted: Reference = { ...reference, digest };
    const hit = await mirror.fetch({
      ...{ kind: "manifest", reference: wanted, method: "GET" },
      ...(isEntitled ? {} : { openOnly: true }),
    }, options);
    if (!hit.found) return undefined;
    const bytes = hit.content ?? new Uint8Array(await new Response(hit.body).arrayBuffer());
    if (parseReferrer(bytes)?.subject !== reference.digest) return undefined;
    return hit.isPrivate === true && !await access.mayHave(call, wanted) ? undefined : bytes;
  }

  /**
   * Reads as many as fit into one answer. `next`: the last of them, if another one follows. Whether
   * any follows that the client may not have is not told.
   */
  async #read(
    { listing: { reference, n = MAX_REFERRERS }, client }: ListCall,
    candidates: readonly Candidate[],
    read: Read,
  ): Promise<{ found: ReferrerDescriptor[]; next: Digest | undefined; isCut: boolean }> {
    const most = Math.min(Math.max(n, 1), MAX_REFERRERS);
    const found: ReferrerDescriptor[] = [];
    let at = 0;
    let isCut = false;
    using limit = deadline(this.#readMs, client);
    const isFull = () => found.length > fitting(found, most);
    for (; at < candidates.length && !isFull() && !isCut; at += CONCURRENCY) {
      const batch = candidates.slice(at, at + CONCURRENCY);
      const described = await mapConcurrent(batch, CONCURRENCY, async (candidate) => {
        const content = await read(candidate, limit).catch((error) => {
          client.signal.throwIfAborted();
          if (!limit.signal.aborted) throw error;
          return "late" as const;
        });
        if (content === undefined || content === "late") return content;
        return describe(candidate.digest, content, reference.digest);
      });
      const late = described.indexOf("late");
      isCut = late >= 0;
      const inTime = isCut ? described.slice(0, late) : described;
      found.push(...inTime.filter((entry) => entry !== undefined && entry !== "late"));
    }
    const page = found.slice(0, fitting(found, most));
    const next = isFull() || isCut ? page.at(-1)?.digest : undefined;
    return { found: page, next, isCut };
  }
}

/** How many of the first descriptors fit into an answer. */
function fitting(found: readonly ReferrerDescriptor[], most: number): number {
  let bytes = 0;
  const end = found.findIndex((entry, index) => {
    bytes += JSON.stringify(entry).length;
    return index >= most || (index > 0 && bytes > MAX_BYTES);
  });
  return end < 0 ? found.length : end;
}

/** Undefined if it is about something else. */
function describe(
  digest: Digest,
  content: Uint8Array,
  subject: Digest | undefined,
): ReferrerDescriptor | undefined {
  const { subject: of, mediaType, ...rest } = parseReferrer(content) ?? {};
  if (of === undefined || of !== subject || mediaType === undefined) return undefined;
  return { mediaType, digest, size: content.length, ...rest };
}
