import { systemClock } from "../../lib/async/clock.ts";
import { deadline } from "../../lib/async/deadline.ts";
import type { Peer } from "../../lib/ports/router.ts";
import type { Bootstrapper } from "../../lib/router/bootstrap/bootstrapper.ts";
import { createStaticBootstrapper } from "../../lib/router/bootstrap/static_bootstrapper.ts";
import { createRouter } from "../../lib/router/create_router.ts";
import type { Libp2pRouter } from "../../lib/router/libp2p_router.ts";
import type { RouterOptions } from "../../lib/router/options.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";
import { eventually } from "../support/eventually.ts";

/** How long a test waits for what must come. */
const PATIENCE_MS = 15_000;
/**
 * Two timers of libp2p 3.3 cannot be cancelled and outlive `stop()` by a second: the rate limiter's
 * for each host that connected, and the address manager's, which gathers changes of addresses.
 */
const LIBRARY_TIMERS_MS = 1100;

/** A router on loopback, and what it logged and counted. */
export interface TestNode {
  readonly router: Libp2pRouter;
  readonly log: MemoryLog;
  readonly metrics: ReturnType<typeof memoryMetrics>;
}

/** Makes a router that begins with `peers`; it is not started. */
export async function makeNode(
  peers: readonly string[] | Bootstrapper,
  options: Partial<RouterOptions> = {},
): Promise<TestNode> {
  const log = new MemoryLog();
  const metrics = memoryMetrics();
  const bootstrapper = "get" in peers ? peers : createStaticBootstrapper({ peers });
  const router = await createRouter({ log, metrics, clock: systemClock, bootstrapper }, {
    listen: { host: "127.0.0.1", port: 0 },
    registryPort: (routerPort) => routerPort - 1,
    // Several nodes and the test share one event loop here.
    dialTimeoutMs: 1000,
    requestTimeoutMs: 1000,
    pingIntervalMs: 500,
    readyTimeoutMs: 2000,
    ...options,
  });
  return { router, log, metrics };
}

/** Nodes that stop with the scope. */
export class Cluster implements AsyncDisposable {
  readonly nodes: TestNode[] = [];

  /** Starts a node; it begins with the first one unless told otherwise. */
  async add(
    peers?: readonly string[] | Bootstrapper,
    options?: Partial<RouterOptions>,
  ): Promise<TestNode> {
    const [first] = this.nodes;
    const node = await makeNode(peers ?? (first ? addressesOf(first) : []), options);
    this.nodes.push(node);
    await node.router.start();
    return node;
  }

  /** Starts nodes and waits until each knows all others. */
  static async of(size: number, options?: Partial<RouterOptions>): Promise<Cluster> {
    const cluster = new Cluster();
    for (let i = 0; i < size; i++) await cluster.add(undefined, options);
    await cluster.meshed();
    return cluster;
  }

  /** Waits until each node knows all others. */
  async meshed(): Promise<void> {
    await eventually("nodes know each other", () => {
      return this.nodes.every(({ router }) => router.peers().length === this.nodes.length - 1);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(({ router }) => router.stop()));
    await systemClock.sleep(LIBRARY_TIMERS_MS);
  }
}

/** Multiaddrs of a node. */
export function addressesOf(node: TestNode): string[] {
  return [...node.router.listenAddresses];
}

/** All that a lookup yields, within `timeoutMs`. */
export async function lookupAll(
  node: TestNode,
  key: string,
  timeoutMs = PATIENCE_MS,
): Promise<Peer[]> {
  using limit = deadline(timeoutMs);
  return await Array.fromAsync(node.router.lookup(key, limit));
}

/** Waits until a lookup yields exactly these nodes. */
export async function findsExactly(
  node: TestNode,
  key: string,
  holders: readonly TestNode[],
): Promise<void> {
  const wanted = holders.map(({ router }) => router.id).sort().join();
  await eventually(`${key} is found at ${holders.length} nodes`, async () => {
    const found = await lookupAll(node, key);
    return found.map(({ id }) => id).sort().join() === wanted;
  });
}

// The peer store's locks (mortice) open one BroadcastChannel for the whole process at their first
// use and never close it: that happens here, outside of any test.
{
  await using warmUp = new Cluster();
  await warmUp.add();
}
