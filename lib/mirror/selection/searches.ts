import type { DistributionPath } from "../../oci/path.ts";
import { referenceKey } from "../../oci/reference.ts";
import type { Elections } from "../../ports/rollout.ts";
import type { Router } from "../../ports/router.ts";
import type { MirrorOptions } from "../options.ts";
import { Candidates, type CandidatesCollaborators } from "./candidates.ts";
import { ElectedParents } from "./elected_parents.ts";
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
    const { router, elections, tagHolders, client, prober } = this.#collaborators;
    const { health, penalties, inVain, random, clock, log, metrics, closing } = this.#collaborators;
    const key = referenceKey(reference);
    const isTag = reference.digest === undefined;
    // A runtime knows what a tag means only once it has the whole image.
    const parents = !isTag && elections
      ? new ElectedParents({ elections, clock }, { key, small: kind === "manifest" })
      : undefined;
    const holders = isTag ? tagHolders?.of(reference) : undefined;
    const candidates = new Candidates(
      key,
      { router: holders ?? router, parents, health, inVain, prober, random, clock, log },
      this.#options,
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
