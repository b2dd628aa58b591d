import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import type { Reference } from "../oci/reference.ts";
import type { Catalog, HeldTag } from "../ports/catalog.ts";
import type { Clock } from "../ports/clock.ts";
import type { Mirror } from "../ports/mirror.ts";
import type { Answer } from "./answer.ts";
import { type ListAccess, nothingKnown } from "./list_access.ts";
import { mergePages, type Page } from "./list_pages.ts";
import { listAnswer } from "./list_answer.ts";
import type { ListCall } from "./list_call.ts";

/** What {@link TagLists} work with. */
export interface TagListsCollaborators {
  readonly catalog?: Catalog | undefined;
  readonly mirror: Pick<Mirror, "lists">;
  readonly access: ListAccess;
  readonly filter: ReferenceFilter;
  readonly clock: Pick<Clock, "now">;
}

/** The most tags of one answer. */
const MAX_TAGS = 256;
/** How long the right to tags may be looked into, ms. */
const ADMISSION_MS = 1000;
/** Held tags whose other holders are asked for more. */
const NEAR = 2;
/** Held manifests of which one tells whether a client may know of the repository. */
const MAX_TRIED = 4;
/** Upstream tells by this one whether a repository is private of which nothing is held. */
const USUAL_TAG = "latest";

/** Lists the tags of a repository that are held. */
export class TagLists {
  readonly #collaborators: TagListsCollaborators;

  constructor(collaborators: TagListsCollaborators) {
    this.#collaborators = collaborators;
  }

  /** @throws {OciError} 401 or 404 if nothing may be told, or nothing is known. */
  async serve(call: ListCall): Promise<Answer> {
    const { listing } = call;
    const held = this.#held(listing.reference);
    const page = call.context.fromOutside
      ? await this.#forOutsider(call, held)
      : await this.#forClient(call, held);
    if (page === undefined) throw nothingKnown(listing.reference);
    const { entries, more } = page;
    const document = { name: listing.name, tags: entries };
    return listAnswer(listing, document, { last: entries.at(-1), more });
  }

  #held({ registry, repository }: Reference): HeldTag[] {
    const { catalog } = this.#collaborators;
    return (catalog?.tags({ registry, repository }) ?? []).filter(({ tag, target }) =>
      this.#passes({ registry, repository, tag }) &&
      this.#passes({ registry, repository, digest: target })
    );
  }

  #passes(reference: Reference): boolean {
    return this.#collaborators.filter(reference);
  }

  /** Undefined if it may know of none. */
  async #forOutsider(call: ListCall, held: readonly HeldTag[]): Promise<Page | undefined> {
    const { listing: { last = "" } } = call;
    const most = mostOf(call);
    const after = held.filter(({ tag }) => tag > last);
    const { access } = this.#collaborators;
    const isAdmitted = (target: Digest) => access.admitOutsider(call, target);
    const page = await this.#admitted(after, most, isAdmitted);
    if (page.entries.length > 0) return page;
    const isKnown = (await this.#admitted(held, 1, isAdmitted)).entries.length > 0;
    return isKnown ? { entries: [], more: false } : undefined;
  }

  async #admitted(
    held: readonly HeldTag[],
    most: number,
    decide: (target: Digest) => Promise<boolean>,
  ): Promise<Page> {
    const { clock } = this.#collaborators;
    const until = clock.now() + ADMISSION_MS;
    const entries: string[] = [];
    const decided = new Map<string, boolean>();
    for (const { tag, target } of held) {
      if (clock.now() > until) return { entries, more: true };
      const isAdmitted = decided.get(target) ?? await decide(target);
      decided.set(target, isAdmitted);
      // Whether there are more that it may not know of is not told.
      if (isAdmitted && entries.length >= most) return { entries, more: most > 0 };
      if (isAdmitted) entries.push(tag);
    }
    return { entries, more: false };
  }

  async #forClient(call: ListCall, held: readonly HeldTag[]): Promise<Page | undefined> {
    const { access } = this.#collaborators;
    const { listing: { reference: { registry, repository }, last = "" } } = call;
    // Where no tag would be listed, nobody is asked.
    if (held.length === 0 && !this.#passes({ registry, repository, tag: "any" })) return undefined;
    const isEntitled = await this.#admit(call, held);
    const theirs = await this.#ofPeers(call, held, { openOnly: !isEntitled });
    const isKnown = held.length > 0 || theirs.some(({ entries }) => entries.length > 0);
    if (!isKnown) return undefined;
    const most = mostOf(call);
    if (most === 0) return { entries: [], more: false };
    const isNext = (tag: string) => tag > last;
    // What is in the repository here may belong to another one, which the client may not have.
    const own = await this.#admitted(
      held.filter(({ tag }) => isNext(tag)),
      most,
      (digest) => access.mayHave(call, { registry, repository, digest }),
    );
    const after = theirs.map(({ entries, more }) => ({ entries: entries.filter(isNext), more }));
    return mergePages([own, ...after], most);
  }

  /** Whether the client may know of private tags, too. */
  async #admit(call: ListCall, held: readonly HeldTag[]): Promise<boolean> {
    const { access } = this.#collaborators;
    const { listing: { reference: { registry, repository } }, credentials } = call;
    let refusal: OciError | undefined;
    for (const digest of new Set(held.map(({ target }) => target)).values().take(MAX_TRIED)) {
      try {
        return await access.admitClient(call, { registry, repository, digest });
      } catch (error) {
        if (!(error instanceof OciError)) throw error;
        refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
    try {
      return await access.admitClient(call, { registry, repository, tag: USUAL_TAG });
    } catch (error) {
      if (!(error instanceof OciError) || credentials === undefined) throw error;
      // To this client upstream may deny a tag that it does not have.
      const theirs = await this.#ofPeers(call, held, { openOnly: false });
      const [tag] = theirs.flatMap(({ entries }) => entries);
      if (tag === undefined) throw error;
      return await access.admitClient(call, { registry, repository, tag });
    }
  }

  async #ofPeers(
    call: ListCall,
    held: readonly HeldTag[],
    { openOnly }: { readonly openOnly: boolean },
  ): Promise<readonly Page[]> {
    const { listing: { kind, reference, last }, client } = call;
    const { registry, repository } = reference;
    const tags = new Set([...held.slice(0, NEAR).map(({ tag }) => tag), USUAL_TAG]);
    const lists = await this.#collaborators.mirror.lists?.({
      ...{ kind, reference, last, openOnly },
      n: Math.max(mostOf(call), 1),
      near: [...tags].map((tag) => ({ registry, repository, tag })),
    }, client) ?? [];
    return lists.map(({ entries, more }) => ({
      entries: entries.filter((tag) => this.#passes({ registry, repository, tag })).sort(),
      more,
    }));
  }
}

/** The most tags that are wanted and listed. */
function mostOf({ listing: { n = MAX_TAGS } }: ListCall): number {
  return Math.min(n, MAX_TAGS);
}
