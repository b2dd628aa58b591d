import type { Metrics } from "../../lib/ports/metrics.ts";

/** One call of a metrics method: its name and its arguments. */
export type MetricCall = readonly [name: keyof Metrics, ...args: unknown[]];

/** Metrics that keep each call for assertions. */
export function memoryMetrics(): Metrics & { readonly calls: MetricCall[] } {
  const calls: MetricCall[] = [];
  const record = (name: keyof Metrics) => (...args: unknown[]) => void calls.push([name, ...args]);
  return {
    calls,
    mirrorRequest: record("mirrorRequest"),
    httpRequest: record("httpRequest"),
    inFlight: record("inFlight"),
    bytesServed: record("bytesServed"),
    bytesFetched: record("bytesFetched"),
    resolveDuration: record("resolveDuration"),
    peerSwitched: record("peerSwitched"),
    advertised: record("advertised"),
    peers: record("peers"),
    upstreamRequest: record("upstreamRequest"),
    tagResolved: record("tagResolved"),
    staleTag: record("staleTag"),
    contentChecked: record("contentChecked"),
    layersKept: record("layersKept"),
    layerReleased: record("layerReleased"),
    damagedContent: record("damagedContent"),
    electionHeld: record("electionHeld"),
    followBegan: record("followBegan"),
    followFailed: record("followFailed"),
    upstreamSpared: record("upstreamSpared"),
  };
}
