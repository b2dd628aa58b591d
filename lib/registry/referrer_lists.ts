import { deadline } from "../async/deadline.ts";
import { mapConcurrent } from "../async/map_concurrent.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import { OCI_INDEX } from "../oci/media_type.ts";
import type { Reference } from "../oci/reference.ts";
import { parseReferrer, type ReferrerDescriptor } from "../oci/referrer.ts";
import {
  describeReferrer,
  fittingReferrers,
  joinReadings,
  mostReferrers,
  type Reading,
} from "./referrer_readings.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Catalog } from "../ports/catalog.ts";
import type { Mirror, PeerList } from "../ports/mirror.ts";
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

/** Held manifests that are read at the same time. */
const READS = 4;

/** Manifests that are fetched from peers at the same time, for all lists that they sent. */
const FETCHES = 8;

/** Reads a manifest for a client that may have it. */
type Read = (digest: Digest, options: Cancellable) => Promise<Uint8Array | undefined>;

/** Where the entries of a list come from. */
interface Sources {
  readonly held: readonly Digest[];
  readonly read: Read;
  /** What peers name. */
  readonly lists?: readonly PeerList[];
  /** Fetches what only peers name. */
  readonly fetch?: Read;
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
    const sources = call.context.fromOutside
      ? this.#forOutsider(call)
      : await this.#forClient(call);
    const { found, next, isCut } = await this.#readAll(call, sources);
    // Peers know of referrers that belong together with the subject.
    const isKnown = sources.lists?.some(({ entries }) => entries.length === 0) ?? false;
    // No list is empty only because there was no time, except for the end of one.
    const isEnd = isCut && last !== "" && !call.context.fromOutside;
    const isSure = found.length > 0 || next !== undefined || isEnd ||
      (!isCut && (isKnown || await this.#isRelated(call, sources.read)));
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
      const content = await read(digest, limit).catch(() => undefined);
      client.signal.throwIfAborted();
      if (content !== undefined) return true;
    }
    return false;
  }

  #forOutsider(call: ListCall): Sources {
    const { access } = this.#collaborators;
    return {
      held: this.#held(call),
      read: async (digest, options) =>
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
      n: mostReferrers(undefined),
      openOnly: !isEntitled,
      near: [reference],
    }, call.client) ?? [];
    return {
      ...{ held, lists },
      read: async (digest, options) =>
        await access.mayHave(call, { ...reference, digest })
          ? await this.#readHeld(call, digest, options)
          : undefined,
      fetch: async (digest, options) => await this.#fetch(call, digest, { ...options, isEntitled }),
    };
  }

  #held({ listing: { reference } }: ListCall): readonly Digest[] {
    const { digest: subject } = reference;
    if (subject === undefined) return [];
    return this.#collaborators.catalog?.referrers(reference, subject) ?? [];
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
   * Reads what is held and what each peer names, side by side: what a peer makes up must not use up
   * the time of the others, nor hide what they have.
   */
  async #readAll(call: ListCall, { held, read, lists = [], fetch }: Sources): Promise<Reading> {
    const { listing: { reference, last = "" }, client } = call;
    using limit = deadline(this.#readMs, client);
    const isNext = (digest: Digest) =>
      digest > last && this.#collaborators.filter({ ...reference, digest });
    const known = new Set(held);
    const fetches = new Map<Digest, ReturnType<Read>>();
    const fetchOnce: Read = async (digest, options) => {
      const fetching = fetches.get(digest) ?? fetch?.(digest, options);
      if (fetching !== undefined) fetches.set(digest, fetching);
      return await fetching;
    };
    const concurrency = Math.max(1, Math.floor(FETCHES / Math.max(1, lists.length)));
    const reading = lists.map(({ entries }) => {
      const named = [...new Set(entries.filter(isDigest))].filter((digest) => !known.has(digest));
      return this.#read(call, named.filter(isNext), { read: fetchOnce, limit, concurrency });
    });
    const [own, theirs] = await Promise.all([
      this.#read(call, held.filter(isNext), { read, limit, concurrency: READS }),
      Promise.all(reading),
    ]);
    const listed = new Set(own.found.map(({ digest }) => digest as string));
    const ends = theirs.map(({ found, next }, index) => {
      const { entries = [], more = false } = lists[index] ?? {};
      // Nobody ends a list with what is made up only.
      const isReal = found.length > 0 || entries.some((entry) => listed.has(entry));
      return isReal
        ? next ?? (more ? entries.filter(isDigest).sort().at(-1) : undefined)
        : undefined;
    });
    return joinReadings(call.listing, [own, ...theirs], [own.next, ...ends]);
  }

  /**
   * Reads as many as fit into one answer. `next`: the last of them, if another one follows. Whether
   * any follows that the client may not have is not told.
   */
  async #read(
    { listing: { reference, n }, client }: ListCall,
    digests: readonly Digest[],
    { read, limit, concurrency }: {
      readonly read: Read;
      readonly limit: Cancellable;
      readonly concurrency: number;
    },
  ): Promise<Reading> {
    const candidates = digests.toSorted();
    const found: ReferrerDescriptor[] = [];
    let at = 0;
    let isCut = false;
    const isFull = () => found.length > fittingReferrers(found, mostReferrers(n));
    for (; at < candidates.length && !isFull() && !isCut; at += concurrency) {
      const batch = candidates.slice(at, at + concurrency);
      const described = await mapConcurrent(batch, concurrency, async (digest) => {
        const content = await read(digest, limit).catch((error) => {
          client.signal.throwIfAborted();
          if (!limit.signal.aborted) throw error;
          return "late" as const;
        });
        if (content === undefined || content === "late") return content;
        return describeReferrer(digest, content, reference.digest);
      });
      const late = described.indexOf("late");
      isCut = late >= 0;
      const inTime = isCut ? described.slice(0, late) : described;
      found.push(...inTime.filter((entry) => entry !== undefined && entry !== "late"));
    }
    const page = found.slice(0, fittingReferrers(found, mostReferrers(n)));
    const next = isFull() || isCut ? page.at(-1)?.digest : undefined;
    return { found: page, next, isCut };
  }
}
