import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Wanted } from "../http/answer.ts";
import type { Deliveries } from "./deliveries.ts";
import type { MirrorOptions } from "../options.ts";
import type { PeerHealth } from "../selection/peer_health.ts";
import type { Search } from "../selection/search.ts";
import type { Source } from "../selection/source.ts";

/** What a `PartReader` works with. */
export interface PartReaderCollaborators extends Runtime {
  readonly search: Search;
  readonly health: PeerHealth;
  readonly deliveries: Deliveries;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/** The content to read. */
export interface PartReaderInit {
  /** The answer that is read first. */
  readonly first: Source;
  /** Asks for the same content, by digest so that every peer sends the same; its range is set. */
  readonly wanted: Omit<Wanted, "range" | "size" | "digest">;
}

/** Settings of a `PartReader`. */
export interface PartReaderOptions extends MirrorOptions, Cancellable {
  /** All of it comes from the peer that is read first, or it fails; default false. */
  readonly single?: boolean;
}
