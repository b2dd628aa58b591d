import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Metrics } from "../ports/metrics.ts";

/** Advertised keys of an image, or of content without one. */
export interface AdvertisedImage {
  /** Name of the image; undefined for content without one. */
  readonly image: string | undefined;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
}

export interface AdvertisementSource {
  advertised(): readonly AdvertisedImage[];
}

export interface SpegelMetricsCollaborators {
  /** What is advertised at present; called at each scrape. */
  readonly advertised: () => readonly AdvertisedImage[];
  /** Bounds the label values of registries. */
  readonly registryLabel: (registry: string) => string;
}

/** The port's methods for which Spegel has metrics. */
export type SpegelMetrics = Pick<
  Metrics,
  "mirrorRequest" | "httpRequest" | "inFlight" | "resolveDuration"
>;

/** Prometheus' default buckets, as in Spegel, in seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** 1 KiB to 1.9 GB in steps of five, as in Spegel. */
const BYTES = Array.from({ length: 10 }, (_, step) => 1024 * 5 ** step);
const HTTP_LABELS = ["handler", "method", "code"] as const;

/**
 * Registers Spegel's metrics, under its names and with its labels, so that dashboards and alerts
 * made for it keep working.
 *
 * Sources: Spegel pkg/metrics/metrics.go and pkg/httpx/metrics.go.
 */
export function registerSpegelMetrics(
  registry: Registry,
  { advertised, registryLabel }: SpegelMetricsCollaborators,
): SpegelMetrics {
  const registers = [registry];
  registerAdvertised(registry, advertised, registryLabel);
  const { durations, sizes, inFlight } = httpCollectors(registry);
  const requests = new Counter({
    name: "spegel_mirror_requests_total",
    help: "Requests that were not answered from the node's own images, by hit and miss.",
    labelNames: ["registry", "cache"],
    registers,
  });
  const lastSuccess = new Gauge({
    name: "spegel_mirror_last_success_timestamp_seconds",
    help: "When a peer last answered a request, in seconds since the Unix epoch.",
    registers,
  });
  const resolve = new Histogram({
    name: "spegel_resolve_duration_seconds",
    help: "Time until the first peer for a key was found.",
    labelNames: ["router"],
    buckets: SECONDS,
    registers,
  });
  return {
    mirrorRequest(name, outcome) {
      // Spegel counts requests to its mirror; local content does not reach it.
      if (outcome === "local") return;
      requests.inc({ registry: registryLabel(name), cache: outcome });
      if (outcome === "hit") lastSuccess.set(Date.now() / 1000);
    },
    httpRequest(handler, method, code, durationMs, bytes) {
      durations.observe({ handler, method, code }, durationMs / 1000);
      sizes.observe({ handler, method, code }, bytes);
    },
    inFlight: (handler, delta) => inFlight.inc({ handler }, delta),
    resolveDuration: (durationMs) => resolve.observe({ router: "libp2p" }, durationMs / 1000),
  };
}

function httpCollectors(registry: Registry) {
  const registers = [registry];
  return {
    durations: new Histogram({
      name: "http_request_duration_seconds",
      help: "Time until an HTTP request was answered, its body included.",
      labelNames: HTTP_LABELS,
      buckets: SECONDS,
      registers,
    }),
    sizes: new Histogram({
      name: "http_response_size_bytes",
      help: "Bytes of the bodies of HTTP responses.",
      labelNames: HTTP_LABELS,
      buckets: BYTES,
      registers,
    }),
    inFlight: new Gauge({
      name: "http_requests_inflight",
      help: "HTTP requests being answered.",
      labelNames: ["handler"],
      registers,
    }),
  };
}

/** Counted at each scrape: the list changes far more often. */
function registerAdvertised(
  registry: Registry,
  advertised: () => readonly AdvertisedImage[],
  registryLabel: (registry: string) => string,
): void {
  const gauge = (
    name: string,
    help: string,
    count: (image: AdvertisedImage) => readonly string[],
  ) =>
    new Gauge({
      name,
      help,
      labelNames: ["registry"],
      registers: [registry],
      collect() {
        const byRegistry = new Map<string, Set<string>>();
        for (const image of advertised()) {
          // Content without an image belongs to no registry; Spegel has none.
          const host = image.image?.split("/", 1)[0];
          if (host === undefined) continue;
          const label = registryLabel(host);
          const known = byRegistry.get(label) ?? new Set();
          for (const key of count(image)) known.add(key);
          byRegistry.set(label, known);
        }
        this.reset();
        for (const [name, keys] of byRegistry) this.set({ registry: name }, keys.size);
      },
    });
  gauge("spegel_advertised_image_tags", "Tags that are advertised.", ({ tags }) => tags);
  gauge(
    "spegel_advertised_image_digests",
    "Images of which content is advertised.",
    ({ image, digests }) => image === undefined || digests.length === 0 ? [] : [image],
  );
  gauge(
    "spegel_advertised_content_digests",
    "Digests that are advertised.",
    ({ digests }) => digests,
  );
}
