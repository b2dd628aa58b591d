import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Metrics } from "../ports/metrics.ts";
import { labelLimit } from "./label_limit.ts";
import { registerProcessMetrics } from "./process_metrics.ts";
import { type AdvertisementSource, registerSpegelMetrics } from "./spegel_metrics.ts";

export interface MetricsOptions {
  /** Version of this build, for `eddy_build_info`. */
  version: string;
  /** Number of registries with a label of their own; all others are `other`. Default 100. */
  maxRegistries?: number;
  /** Whether rollouts are coordinated, so that there is something to count. Default false. */
  rollout?: boolean;
  /** Whether a lease keeps layers, so that there is something to count. Default false. */
  layers?: boolean;
  /** Exports Spegel's metrics too, see {@link MetricsRegistry.observe}. Default false. */
  spegel?: boolean;
}

/** Metrics and their exposition. */
export interface MetricsRegistry {
  readonly metrics: Metrics;
  /** From now on Spegel's metrics count what this source advertises, at each scrape. */
  observe(source: AdvertisementSource): void;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
  /** Media type of the text. */
  readonly contentType: string;
}

/** From a local answer in microseconds to a large blob over a slow link. */
const REQUEST_BUCKETS_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Lookups take 1 to 100 ms; one that takes seconds has failed. */
const RESOLVE_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
/** Known methods: clients can invent others. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Makes the metrics of one agent, in a registry of their own. */
export function createMetrics(options: MetricsOptions): MetricsRegistry {
  const { version, maxRegistries = 100, spegel = false, rollout = false, layers = false } = options;
  const registry = new Registry();
  const collectors = createCollectors(registry);
  const registryLabel = labelLimit(maxRegistries);
  registerProcessMetrics(registry);
  collectors.build.set({ version, deno: Deno.version.deno }, 1);
  const rollouts = rollout ? rolloutCollectors(registry) : undefined;
  let source: AdvertisementSource | undefined;
  const advertised = () => source?.advertised() ?? [];
  const spegels = spegel
    ? registerSpegelMetrics(registry, { advertised, registryLabel })
    : undefined;

  const metrics: Metrics = {
    mirrorRequest(name, outcome, reason) {
      collectors.mirrorRequests.inc({ registry: registryLabel(name), outcome, reason });
      spegels?.mirrorRequest(name, outcome, reason);
    },
    httpRequest(handler, given, code, durationMs, bytes) {
      const method = METHODS.has(given) ? given : "other";
      const labels = { handler, method, code };
      collectors.httpRequests.inc(labels);
      collectors.httpDuration.observe(labels, amount(durationMs) / 1000);
      spegels?.httpRequest(handler, method, code, amount(durationMs), amount(bytes));
    },
    inFlight(handler, delta) {
      collectors.inFlight.inc({ handler }, delta);
      spegels?.inFlight(handler, delta);
    },
    bytesServed: (bytes) => collectors.served.inc(amount(bytes)),
    bytesFetched: (bytes) => collectors.fetched.inc(amount(bytes)),
    resolveDuration(durationMs) {
      collectors.resolve.observe(amount(durationMs) / 1000);
      spegels?.resolveDuration(amount(durationMs));
    },
    peerSwitched: (reason) => collectors.switches.inc({ reason }),
    advertised({ digests, tags }) {
      collectors.digests.set(amount(digests));
      collectors.tags.set(amount(tags));
    },
    peers: (count) => collectors.peers.set(amount(count)),
    upstreamRequest: (outcome) => collectors.upstream.inc({ outcome }),
    tagResolved: (by) => collectors.tagsResolved.inc({ by }),
    staleTag: () => collectors.stale.inc(),
    contentChecked: (outcome) => collectors.checks.inc({ outcome }),
    ...(layers ? layerMetrics(registry) : NO_LAYERS),
    damagedContent: (count) => collectors.damaged.set(amount(count)),
    electionHeld: (outcome) => rollouts?.elections.inc({ outcome }),
    followBegan: () => rollouts?.follows.inc(),
    followFailed: (reason) => rollouts?.fallbacks.inc({ reason }),
    upstreamSpared: (bytes) => rollouts?.avoided.inc(amount(bytes)),
  };
  return {
    metrics,
    observe: (given) => void (source = given),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** The client library throws on invalid amounts; the port promises not to. */
function amount(value: number): number {
  return Number.isFinite(value) && value > 0 ? value : 0;
}

function createCollectors(registry: Registry) {
  return {
    ...requestCollectors(registry),
    ...peerCollectors(registry),
    ...upstreamCollectors(registry),
    ...integrityCollectors(registry),
  };
}

function requestCollectors(registry: Registry) {
  const registers = [registry];
  return {
    build: new Gauge({
      name: "eddy_build_info",
      help: "Always 1; the labels have the running version.",
      labelNames: ["version", "deno"],
      registers,
    }),
    mirrorRequests: new Counter({
      name: "eddy_mirror_requests_total",
      help:
        "Requests of local clients, by outcome (local, hit at a peer, miss) and reason of a miss.",
      labelNames: ["registry", "outcome", "reason"],
      registers,
    }),
    httpRequests: new Counter({
      name: "eddy_http_requests_total",
      help: "HTTP requests that have ended.",
      labelNames: ["handler", "method", "code"],
      registers,
    }),
    httpDuration: new Histogram({
      name: "eddy_http_request_duration_seconds",
      help: "Duration of HTTP requests, including the response body.",
      labelNames: ["handler", "method", "code"],
      buckets: REQUEST_BUCKETS_SECONDS,
      registers,
    }),
    inFlight: new Gauge({
      name: "eddy_http_requests_in_flight",
      help: "HTTP requests in progress.",
      labelNames: ["handler"],
      registers,
    }),
  };
}

function peerCollectors(registry: Registry) {
  const registers = [registry];
  return {
    served: new Counter({
      name: "eddy_served_bytes_total",
      help: "Bytes of content sent to peers.",
      registers,
    }),
    fetched: new Counter({
      name: "eddy_fetched_bytes_total",
      help: "Bytes of content received from peers.",
      registers,
    }),
    resolve: new Histogram({
      name: "eddy_resolve_duration_seconds",
      help: "Time until the first peer for a key was found.",
      buckets: RESOLVE_BUCKETS_SECONDS,
      registers,
    }),
    switches: new Counter({
      name: "eddy_peer_switches_total",
      help: "Transfers that continued from another peer, by reason.",
      labelNames: ["reason"],
      registers,
    }),
    digests: new Gauge({
      name: "eddy_advertised_digests",
      help: "Digests that this node advertises.",
      registers,
    }),
    tags: new Gauge({
      name: "eddy_advertised_tags",
      help: "Tags that this node advertises.",
      registers,
    }),
    peers: new Gauge({
      name: "eddy_peers",
      help: "Peers that the router knows.",
      registers,
    }),
  };
}

function upstreamCollectors(registry: Registry) {
  const registers = [registry];
  return {
    upstream: new Counter({
      name: "eddy_upstream_requests_total",
      help: "Requests to upstream registries, by answer, or the reason for none.",
      labelNames: ["outcome"],
      registers,
    }),
    tagsResolved: new Counter({
      name: "eddy_tags_resolved_total",
      help: "Tags resolved for local clients, by source.",
      labelNames: ["by"],
      registers,
    }),
    stale: new Counter({
      name: "eddy_stale_tags_total",
      help: "Tags for which this node or a peer had another digest than upstream.",
      registers,
    }),
  };
}

function integrityCollectors(registry: Registry) {
  const registers = [registry];
  return {
    checks: new Counter({
      name: "eddy_content_checks_total",
      help: "Checks of stored content that was reported as damaged, by result.",
      labelNames: ["outcome"],
      registers,
    }),
    damaged: new Gauge({
      name: "eddy_damaged_content",
      help: "Stored content that is damaged, and counts as not held.",
      registers,
    }),
  };
}

type LayerMetrics = Pick<Metrics, "layersKept" | "layerReleased">;

const NO_LAYERS: LayerMetrics = { layersKept: () => {}, layerReleased: () => {} };

function layerMetrics(registry: Registry): LayerMetrics {
  const registers = [registry];
  const layers = new Gauge({
    name: "eddy_kept_layers",
    help: "Layers that a lease keeps, since containerd would discard them.",
    registers,
  });
  const bytes = new Gauge({
    name: "eddy_kept_layer_bytes",
    help: "Bytes of these layers.",
    registers,
  });
  const released = new Counter({
    name: "eddy_released_layers_total",
    help: "Layers that are no longer kept, by reason.",
    labelNames: ["reason"],
    registers,
  });
  return {
    layersKept(totals) {
      layers.set(amount(totals.layers));
      bytes.set(amount(totals.bytes));
    },
    layerReleased: (reason) => released.inc({ reason }),
  };
}

function rolloutCollectors(registry: Registry) {
  const registers = [registry];
  return {
    elections: new Counter({
      name: "eddy_rollout_elections_total",
      help: "Assignments requested from coordinators, by answer.",
      labelNames: ["outcome"],
      registers,
    }),
    follows: new Counter({
      name: "eddy_rollout_follows_total",
      help: "Transfers that began from a parent in a fetch tree.",
      registers,
    }),
    fallbacks: new Counter({
      name: "eddy_rollout_fallbacks_total",
      help: "Requests that fell back to upstream since their parent failed, by reason.",
      labelNames: ["reason"],
      registers,
    }),
    avoided: new Counter({
      name: "eddy_rollout_avoided_bytes_total",
      help: "Bytes received from parents instead of from upstream.",
      registers,
    }),
  };
}
