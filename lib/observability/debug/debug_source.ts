import type { Check } from "../../ports/check.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { MissReason } from "../../ports/mirror.ts";
import type { RequestRecord } from "../../ports/requests.ts";
import type { Measurement, MeasureWish } from "./measure.ts";

/** What the debug pages show. Each method answers from memory unless it takes a signal. */
export interface DebugSource {
  overview(): Overview;
  /** What this node advertises, image by image. */
  advertised(): readonly AdvertisedContent[];
  /** Requests for content that have ended, the newest first. */
  requests(): readonly RequestEntry[];
  /** Options in force; secrets are masked already. */
  settings(): readonly Setting[];
  /** Looks at the node now, or tells what was seen a moment ago. */
  checks(options: Cancellable): Promise<readonly Check[]>;
  /** Looks a reference up and pulls it from peers, for the sake of the figures alone. */
  measure(reference: string, options: Cancellable & MeasureWish): Promise<Measurement>;
}

/** The node at a glance. */
export interface Overview {
  readonly version: string;
  /** Peer id of this node. */
  readonly id: string;
  /** Name of the machine or pod. */
  readonly node: string;
  readonly zone: string | undefined;
  readonly startedAt: Date;
  /** The parts of readiness; ready if all are met. */
  readonly conditions: readonly Condition[];
  /** Where images are, and where this node listens, as label and value. */
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly peers: readonly PeerView[];
  readonly advertised: { readonly digests: number; readonly tags: number };
  readonly totals: Totals;
  /** What this node decided lately, the latest first; undefined if nodes do not agree on anything. */
  readonly rollouts?: readonly RolloutView[];
}

/** Who gets some content from upstream, and who from whom. */
export interface RolloutView {
  /** Digest of the content. */
  readonly key: string;
  readonly members: readonly {
    /** Peer id. */
    readonly id: string;
    /** Whom it follows; undefined: it gets it from upstream. */
    readonly parent: string | undefined;
    /** Others found that it was of no use to them. */
    readonly failed: boolean;
  }[];
}

/** Something that has to be so before the node is ready. */
export interface Condition {
  readonly name: string;
  readonly met: boolean;
}

/** Another node as this one sees it. */
export interface PeerView {
  readonly id: string;
  readonly addresses: readonly string[];
  /** Port of its registry; 0 if it is not known any more. */
  readonly registryPort: number;
  /** Usual time until it answers, ms; undefined if it was never asked. */
  readonly latencyMs: number | undefined;
  /** Usual speed of one transfer; undefined if there was none. */
  readonly bytesPerSecond: number | undefined;
  readonly bytesFrom: number;
  readonly bytesTo: number;
  /** Requests and transfers under way. */
  readonly inFlight: number;
  /** `down`: did not answer. `shunned`: sent wrong content. `unknown`: was never asked. */
  readonly health: "good" | "down" | "shunned" | "unknown";
  /** In the routing table of this node; others are only known from transfers. */
  readonly connected: boolean;
}

/** Sums since the start. */
export interface Totals {
  /** Requests of the node's own containerd that were answered from the node's own images. */
  readonly local: number;
  /** … from a peer. */
  readonly hits: number;
  /** … not at all, so that upstream was asked. */
  readonly misses: number;
  readonly missReasons: Readonly<Partial<Record<MissReason | "other", number>>>;
  readonly bytesFrom: number;
  readonly bytesTo: number;
}

/** What is advertised of an image, or of content that belongs to none. */
export interface AdvertisedContent {
  /** Name of the image; undefined for content without one. */
  readonly image: string | undefined;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
}

/** A request with the time when it ended. */
export interface RequestEntry extends RequestRecord {
  readonly at: Date;
}

/** An option in force. */
export interface Setting {
  readonly flag: string;
  readonly value: string;
  /** It is what it would be if nobody had set it. */
  readonly isDefault: boolean;
  readonly help: string;
}
