import type { Clock, Log, Metrics, Router } from "../ports.ts";
import { Candidates } from "./candidates.ts";
import type { MirrorOptions } from "./options.ts";
import type { PeerClient } from "./peer_client.ts";
import type { PeerTable } from "./peer_table.ts";
import type { Prober } from "./prober.ts";
import { Search } from "./search.ts";

/** What all requests of one mirror share. */
export interface MirrorKit {
  readonly router: Router;
  readonly table: PeerTable;
  readonly client: PeerClient;
  readonly prober: Prober;
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
