import type { RateLimiter } from "../../async/rate_limiter.ts";
import type { DistributionPath } from "../../oci/path.ts";
import { referenceKey } from "../../oci/reference.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Router } from "../../ports/router.ts";
import type { AskedInVain } from "../selection/asked_in_vain.ts";
import { Candidates } from "../selection/candidates.ts";
import type { Elections } from "../../ports/rollout.ts";
import type { Hashes } from "../hashing/hashes.ts";
import type { MirrorOptions } from "../options.ts";
import type { PeerClient } from "../http/peer_client.ts";
import type { PeerHealth } from "../selection/peer_health.ts";
import type { Prober } from "../selection/prober.ts";
import type { Deliveries } from "../split/deliveries.ts";
import type { Doubts } from "./doubts.ts";
import { ElectedParents } from "../selection/elected_parents.ts";
import { Search } from "../selection/search.ts";
import type { TagHolders } from "../selection/tag_holders.ts";
import type { SplitPolicy } from "../split/split_policy.ts";
import type { Tainted } from "./tainted.ts";

/** What all requests of one mirror share. */
export interface MirrorKit extends Runtime {
  readonly router: Router;
  /** Lets nodes agree on who goes upstream; undefined: each goes by itself. */
  readonly elections?: Elections | undefined;
  /** Who is believed what a tag means; undefined: whoever holds it. */
  readonly tagHolders?: TagHolders | undefined;
  readonly table: PeerHealth;
  readonly client: PeerClient;
  readonly prober: Prober;
  readonly deliveries: Deliveries;
  readonly doubts: Doubts;
  readonly hashes: Hashes;
  readonly splits: SplitPolicy;
  readonly tainted: Tainted;
  readonly inVain: AskedInVain;
  /** Whether peers can prove who they are: by a key, or by certificates. */
  readonly provesPeers: boolean;
  /** Rate of what is received from peers, shared fairly. */
  readonly downloads?: Pick<RateLimiter, "take"> | undefined;
  /** Source of randomness in [0, 1). */
  readonly random: () => number;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
  readonly options: MirrorOptions;
}

/** Begins to look for holders of what is referred to. The search is to be closed. */
export function startSearch(kit: MirrorKit, { kind, reference }: DistributionPath): Search {
  const { elections, clock } = kit;
  const key = referenceKey(reference);
  // What a tag means is known to a runtime only once it has the whole image.
  const parents = reference.digest && elections &&
    new ElectedParents({ elections, clock }, { key, small: kind === "manifest" });
  const holders = reference.digest === undefined ? kit.tagHolders?.of(reference) : undefined;
  const candidates = new Candidates(key, {
    ...kit,
    ...(parents && { parents }),
    ...(holders && { router: holders }),
  }, kit.options);
  return new Search({ ...kit, candidates, holders }, kit.options);
}
