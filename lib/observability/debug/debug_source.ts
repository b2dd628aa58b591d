import type { Check } from "../../ports/check.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { MissReason } from "../../ports/mirror.ts";
import type { RequestRecord } from "../../ports/requests.ts";
import type { Measurement, MeasureRequest } from "./measure.ts";

/** The data of the debug pages. Each method answers from memory unless it takes a signal. */
export interface DebugSource {
  overview(): Overview;
  /** What this node advertises, by image. */
  advertised(): readonly AdvertisedContent[];
  /** Finished requests for content, newest first. */
  requests(): readonly RequestEntry[];
  /** Effective options, with secrets masked. */
  settings(): readonly Setting[];
  /** Checks the node, or returns recent results. */
  checks(options: Cancellable): Promise<readonly Check[]>;
  /** Looks a reference up and pulls it from peers, to measure it. */
  measure(reference: string, options: Cancellable & MeasureRequest): Promise<Measurement>;
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
  /** The conditions of readiness; the node is ready if all are met. */
  readonly conditions: readonly Condition[];
  /** Paths and listening addresses, as label and value. */
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly peers: readonly PeerView[];
  readonly advertised: { readonly digests: number; readonly tags: number };
  readonly totals: Totals;
  /** The upstream registries that this node cannot ask. */
  readonly unaskedRegistries: readonly UnaskedRegistry[];
  /** This node's recent decisions as coordinator, latest first; undefined without rollouts. */
  readonly rollouts?: readonly RolloutView[] | undefined;
}

/** An upstream registry that this node cannot ask what tags mean. */
export interface UnaskedRegistry {
  readonly registry: string;
  /** Why, as in `eddy_upstream_requests_total`. */
  readonly trouble: string;
  /** Whether containerd reaches it. */
  readonly runtime: "reaches" | "fails" | "unknown";
  /** What to do about it. */
  readonly fix: string;
}

/** The fetch tree of some content. */
export interface RolloutView {
  /** Digest of the content. */
  readonly key: string;
  readonly members: readonly {
    /** Peer id. */
    readonly id: string;
    /** Its parent; undefined: it fetches from upstream. */
    readonly parent: string | undefined;
    /** A child reported it as failed. */
    readonly failed: boolean;
  }[];
}

/** A condition of readiness. */
export interface Condition {
  readonly name: string;
  readonly met: boolean;
}

/** Another node as seen by this one. */
export interface PeerView {
  readonly id: string;
  readonly addresses: readonly string[];
  /** Port of its registry; 0 if no longer known. */
  readonly registryPort: number;
  /** Typical time until it answers, ms; undefined if it was never asked. */
  readonly latencyMs: number | undefined;
  /** Typical throughput of one transfer; undefined if there was none. */
  readonly bytesPerSecond: number | undefined;
  readonly bytesFrom: number;
  readonly bytesTo: number;
  /** Requests and transfers in progress. */
  readonly inFlight: number;
  /** `down`: did not answer. `shunned`: sent wrong content. `unknown`: was never asked. */
  readonly health: "good" | "down" | "shunned" | "unknown";
  /** In this node's routing table; others are only known from transfers. */
  readonly connected: boolean;
}

/** Totals since the start. */
export interface Totals {
  /** Requests of the node's own containerd served from the node's own images. */
  readonly local: number;
  /** … from a peer. */
  readonly hits: number;
  /** … not at all, so that containerd asked upstream. */
  readonly misses: number;
  readonly missReasons: Readonly<Partial<Record<MissReason | "other", number>>>;
  readonly bytesFrom: number;
  readonly bytesTo: number;
}

/** Advertised keys of an image, or of content without one. */
export interface AdvertisedContent {
  /** Name of the image; undefined for content without one. */
  readonly image: string | undefined;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
}

/** A request with its end time. */
export interface RequestEntry extends RequestRecord {
  readonly at: Date;
}

/** An effective option. */
export interface Setting {
  readonly flag: string;
  readonly value: string;
  /** It has its default value. */
  readonly isDefault: boolean;
  readonly help: string;
}
