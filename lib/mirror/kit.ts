import type { RateLimiter } from "../async/rate_limiter.ts";
import type { Clock, Log, Metrics, Router } from "../ports.ts";
import { Candidates } from "./candidates.ts";
import type { Hashes } from "./hashing/hashes.ts";
import type { MirrorOptions } from "./options.ts";
import type { PeerClient } from "./peer_client.ts";
import type { PeerTable } from "./peer_table.ts";
import type { Prober } from "./prober.ts";
import { Search } from "./search.ts";
import type { SplitPolicy } from "./split/split_policy.ts";

/** What all requests of one mirror share. */
export interface MirrorKit {
  readonly router: Router;
  readonly table: PeerTable;
  readonly client: PeerClient;
  readonly prober: Prober;
  readonly hashes: Hashes;
  readonly splits: SplitPolicy;
  /** Rate of what is received from peers, shared fairly. */
  readonly downloads?: Pick<RateLimiter, "take"> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Source of randomness in [0, 1). */
  readonly random: () => number;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
  readonly options: MirrorOptions;
}

/** Begins to look for holders of a key. The search is to be closed. */
export function startSearch(kit: MirrorKit, key: string): Search {
  return new Search({ ...kit, candidates: new Candidates(key, kit, kit.options) }, kit.options);
}
