import type { DistributionPath } from "../../oci/path.ts";
import { referenceKey } from "../../oci/reference.ts";
import type { Elections } from "../../ports/rollout.ts";
import type { ListRequest } from "../../ports/mirror.ts";
import type { Router } from "../../ports/router.ts";
import type { MirrorOptions } from "../options.ts";
import { Candidates, type CandidatesCollaborators } from "./candidates.ts";
import { ElectedParents } from "./elected_parents.ts";
import { holdersOf, knownPeers } from "./list_holders.ts";
import { Search, type SearchCollaborators } from "./search.ts";
import type { TagHolders } from "./tag_holders.ts";

/** What {@link Searches} work with. */
export interface SearchesCollaborators
  extends
    Omit<CandidatesCollaborators, "router" | "parents">,
    Omit<SearchCollaborators, "router" | "candidates" | "holders"> {
  readonly router: Router;
  /** Lets nodes agree on who goes upstream; undefined: each goes by itself. */
  readonly elections: Elections | undefined;
  /** Finds the believed holders of tags; undefined: all holders are believed. */
  readonly tagHolders: TagHolders | undefined;
}

/** How long peers that may have a list are waited for, ms. */
const LIST_RESOLVE_MS = 200;

/** Begins the searches of one mirror. */
export class Searches {
  readonly #collaborators: SearchesCollaborators;
  readonly #options: MirrorOptions;

  constructor(collaborators: SearchesCollaborators, options: MirrorOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Begins to look for holders of a reference. The search is to be closed. */
  begin({ kind, reference }: DistributionPath): Search {
    const { elections, tagHolders, clock } = this.#collaborators;
    const key = referenceKey(reference);
    const isTag = reference.digest === undefined;
    // A runtime knows what a tag means only once it has the whole image.
    const parents = !isTag && elections
      ? new ElectedParents({ elections, clock }, { key, small: kind === "manifest" })
      : undefined;
    const holders = isTag ? tagHolders?.of(reference) : undefined;
    return this.#search(key, { holders, parents });
  }

  /**
   * Begins to look for believed peers that may have a list: for holders of what is likely to be
   * near, and among the peers that are known anyway. The searches are to be closed.
   */
  beginLists({ kind, reference, near }: ListRequest): Search[] {
    const { router, tagHolders, random } = this.#collaborators;
    const key = `${kind} of ${referenceKey(reference)}`;
    const lookups: Router["lookup"][] = [
      (_, options) => holdersOf(near, router, options),
      () => knownPeers(router, random),
    ];
    return lookups.map((lookup) => {
      const holders = tagHolders?.of(reference, lookup) ??
        { lookup, hasLeft: (id: string) => router.hasLeft(id), strangers: 0 };
      return this.#search(key, { holders, resolveTimeoutMs: LIST_RESOLVE_MS });
    });
  }

  #search(
    key: string,
    { holders, parents, resolveTimeoutMs = this.#options.resolveTimeoutMs }: {
      readonly holders: ReturnType<TagHolders["of"]> | undefined;
      readonly parents?: ElectedParents | undefined;
      readonly resolveTimeoutMs?: number;
    },
  ): Search {
    const { router, client, prober } = this.#collaborators;
    const { health, penalties, inVain, random, clock, log, metrics, closing } = this.#collaborators;
    const candidates = new Candidates(
      key,
      { router: holders ?? router, parents, health, inVain, prober, random, clock, log },
      { ...this.#options, resolveTimeoutMs },
    );
    return new Search({
      candidates,
      holders,
      router,
      client,
      health,
      penalties,
      prober,
      clock,
      log,
      metrics,
      closing,
    }, this.#options);
  }
}
