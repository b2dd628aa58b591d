import { systemClock } from "../../lib/async/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import { createStaticBootstrapper } from "../../lib/router/bootstrap/static_bootstrapper.ts";
import { createRouter } from "../../lib/router/create_router.ts";

/** A node of any kind, as seen by the worker. */
export interface BenchNode {
  readonly id: string;
  readonly addresses: readonly string[];
  ready(): boolean;
  /** Connects to others, for a node that does not find them by itself. */
  connect?(addresses: readonly string[]): Promise<void>;
  /** Number of known peers. */
  peers(): number;
  /** Number of stored records. */
  records(): number;
  advertise(keys: readonly string[]): Promise<void>;
  /** Ids of holders. */
  lookup(key: string, signal: AbortSignal): AsyncIterable<string>;
  /** Whether any holder is found; resolves with the first. */
  first(key: string, signal: AbortSignal): Promise<boolean>;
}

export interface NodeOptions {
  readonly peers: readonly string[];
  readonly address: string;
  readonly options: Readonly<Record<string, number>>;
}

const NO_LOG: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => NO_LOG };
const NO_METRICS = new Proxy({}, { get: () => () => {} }) as Metrics;

/** Starts Eddy's router, configured like the agent's. */
export async function startEddy({ peers, address, options }: NodeOptions): Promise<BenchNode> {
  const router = await createRouter({
    log: NO_LOG,
    metrics: NO_METRICS,
    clock: systemClock,
    bootstrapper: createStaticBootstrapper({ peers }),
  }, { listen: { host: address, port: 0 }, registryPort: 5000, ...options });
  await router.start();
  return {
    id: router.id,
    addresses: router.listenAddresses,
    ready: () => router.ready(),
    peers: () => router.peers().length,
    records: () => router.recordCount,
    advertise: (keys) => router.advertise(keys),
    async *lookup(key, signal) {
      for await (const { id } of router.lookup(key, { signal })) yield id;
    },
    async first(key, signal) {
      for await (const _ of router.lookup(key, { signal })) return true;
      return false;
    },
  };
}
