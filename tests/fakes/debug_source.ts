import type {
  DebugSource,
  Overview,
  PeerView,
  RequestEntry,
} from "../../lib/observability/debug/debug_source.ts";
import type { Measurement } from "../../lib/observability/debug/measure.ts";

/** A peer as the pages show it. */
export function peerView(given: Partial<PeerView> = {}): PeerView {
  return {
    id: "12D3KooWNpdmgCn2FZs7xveXDZSef7n8xUg6hgJskJ95TB1G68d5",
    addresses: ["10.0.0.2"],
    registryPort: 5000,
    latencyMs: undefined,
    bytesPerSecond: undefined,
    bytesFrom: 0,
    bytesTo: 0,
    inFlight: 0,
    health: "unknown",
    connected: true,
    ...given,
  };
}

/** A node's overview; ready and alone unless told otherwise. */
export function overviewOf(given: Partial<Overview> = {}): Overview {
  return {
    version: "1.2.3",
    id: "12D3KooWKosmKWwB4JUS1iEiL435agHv5m2FNGb2UFsYZSsv7wg5",
    node: "worker-1",
    zone: undefined,
    startedAt: new Date(Date.now() - 3_600_000),
    conditions: [{ name: "an answer of a peer", met: true }],
    facts: [["Registry", ":5000"]],
    peers: [],
    advertised: { digests: 0, tags: 0 },
    totals: { local: 0, hits: 0, misses: 0, missReasons: {}, bytesFrom: 0, bytesTo: 0 },
    unaskedRegistries: [],
    ...given,
  };
}

/** A request of containerd that a peer answered, unless told otherwise. */
export function requestEntry(given: Partial<RequestEntry> = {}): RequestEntry {
  return {
    at: new Date(),
    method: "GET",
    path: `/v2/library/nginx/blobs/sha256:${"ab".repeat(32)}`,
    status: 200,
    registry: "docker.io",
    client: "127.0.0.1",
    fromPeer: false,
    peer: "12D3KooWNpdmgCn2FZs7xveXDZSef7n8xUg6hgJskJ95TB1G68d5",
    reason: undefined,
    bytes: 1000,
    durationMs: 12.5,
    error: undefined,
    ...given,
  };
}

/** A measurement that found nobody. */
export function emptyMeasurement(reference: string): Measurement {
  const none = { peers: [], lookupMs: 20, pieces: [], pullMs: 0, bytes: 0 };
  return { reference, key: reference, ...none, problem: "no peer is known to hold it" };
}

/** A source for pages that shows what it is given. */
export function debugSource(given: Partial<DebugSource> = {}): DebugSource {
  return {
    overview: () => overviewOf(),
    advertised: () => [],
    requests: () => [],
    settings: () => [],
    checks: () => Promise.resolve([]),
    measure: (reference) => Promise.resolve(emptyMeasurement(reference)),
    ...given,
  };
}

const MARKUP = `<img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>'"&`;

/** A source whose every text is an attempt to get a script into the page. */
export function hostileSource(): DebugSource & { readonly markup: string } {
  const source = debugSource({
    overview: () =>
      overviewOf({
        node: MARKUP,
        id: MARKUP,
        version: MARKUP,
        zone: MARKUP,
        conditions: [{ name: MARKUP, met: false }],
        facts: [[MARKUP, MARKUP]],
        peers: [peerView({ id: MARKUP, addresses: [MARKUP] })],
      }),
    advertised: () => [{ image: MARKUP, tags: [MARKUP], digests: [MARKUP] }],
    requests: () => [
      requestEntry({ path: `/v2/${MARKUP}/manifests/${MARKUP}`, registry: MARKUP, peer: MARKUP }),
      requestEntry({ path: encodeURIComponent(MARKUP), client: MARKUP, fromPeer: true }),
      requestEntry({ error: MARKUP, status: 500 }),
    ],
    settings: () => [{ flag: MARKUP, value: MARKUP, isDefault: false, help: MARKUP }],
    checks: () => Promise.resolve([{ name: MARKUP, state: "failed", detail: MARKUP, fix: MARKUP }]),
    measure: (reference) =>
      Promise.resolve({
        ...emptyMeasurement(reference),
        reference: MARKUP,
        problem: MARKUP,
        peers: [{ id: MARKUP, address: MARKUP, afterMs: 1 }],
        pieces: [{
          kind: "layer",
          digest: MARKUP,
          mediaType: MARKUP,
          bytes: 1,
          startMs: 0,
          answerMs: 1,
          durationMs: 1,
          peer: MARKUP,
          error: MARKUP,
        }],
      }),
  });
  return { ...source, markup: MARKUP };
}
