import { deadline } from "../async/deadline.ts";
import { inBackground } from "../async/in_background.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import { localUrl } from "../net/host_port.ts";
import type { RegistryApp } from "../registry/registry_app.ts";
import { RouterListenError } from "../router/libp2p/router_listen_error.ts";
import { type AgentOptions, type AgentParts, compose } from "./compose.ts";
import { type HttpServer, startHttpServer } from "./http_server.ts";
import { applyMirrorConfiguration, keepMirrorConfiguration } from "./mirror_configuration.ts";
import type { MirrorUse } from "./mirror_use.ts";
import { StopStack } from "./stop_stack.ts";

/** Time for transfers in progress to end when the agent stops, ms. */
const DRAIN_MS = 30_000;
/** Time for each other server to stop, ms. */
const STOP_MS = 5_000;

/** A running agent. */
export interface Agent {
  /** Peer id. */
  readonly id: string;
  /** Base URL of the registry for this machine. */
  readonly url: string;
  /** Base URL of the metrics for this machine. */
  readonly metricsUrl: string;
  /** True once it can serve, and other nodes can find its content. */
  ready(): boolean;
  /** Stops in the reverse order of the start, transfers first; does not reject. */
  stop(): Promise<void>;
}

/**
 * Starts an agent. Its signal only ends the start; {@link Agent.stop} ends the agent.
 *
 * @throws {ConfigError} if the node does not fit the configuration.
 * @throws {ListenError} if an address is taken.
 */
export async function startAgent(config: Config, options: AgentOptions): Promise<Agent> {
  const stack = new StopStack(options.log);
  try {
    const parts = await compose(config, options, stack);
    return await start(config, parts, stack);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/**
 * Starts the parts in order. Listeners come first: an address in use must be noticed before
 * anything is advertised. The mirror configuration comes last, so that containerd never asks an
 * agent that cannot answer.
 */
async function start(config: Config, parts: AgentParts, stack: StopStack): Promise<Agent> {
  const { router, readiness, kubernetes } = parts;
  const metricsServer = startMetricsServer(config, parts, stack);
  await startRouter(parts, stack);
  const registryServer = startRegistryServers(config, parts, stack);
  // Stops first: peers then ask other nodes while transfers in progress end.
  stack.push("goodbye", () => router.leave());
  stack.push("watcher", advertise(parts));
  await configureMirrors(config, parts, stack);
  readiness.configured();
  const { mirrorUse } = parts.opened;
  if (mirrorUse) stack.push("mirror use", tryMirrorUse(mirrorUse, parts));
  stack.push("kubernetes", kubernetes.follow(readiness.ready));
  return {
    id: router.id,
    url: urlOf(registryServer),
    metricsUrl: urlOf(metricsServer),
    ready: readiness.ready,
    stop: () => stack.stop(),
  };
}

/** Serves probes, metrics and the debug pages. */
function startMetricsServer(
  { metricsAddr }: Config,
  { metricsApp: { fetch }, connections: { pages }, readiness, runtime: { log } }: AgentParts,
  stack: StopStack,
): HttpServer {
  const server = startHttpServer({ fetch, log, connections: pages }, metricsAddr);
  readiness.listens(server);
  stack.push("metrics server", () => server.shutdown(STOP_MS));
  return server;
}

async function startRouter({ router, opened }: AgentParts, stack: StopStack): Promise<void> {
  stack.push("router", () => router.stop());
  await router.start().catch((error) => {
    const { embeddedMirror } = opened;
    // The embedded mirror uses the same router port by default.
    if (!(error instanceof RouterListenError) || embeddedMirror === undefined) throw error;
    throw new ConfigError(`${error.message}; ${embeddedMirror}`);
  });
}

/** Serves the registry over HTTP, and over TLS too if configured; returns the HTTP server. */
function startRegistryServers(
  { registryAddr }: Config,
  { registry, connections, tls, opened, readiness, runtime: { log } }: AgentParts,
  stack: StopStack,
): HttpServer {
  const fetch = opened.mirrorUse?.intercept(registry.app.fetch) ?? registry.app.fetch;
  const plain = startHttpServer({ fetch, log, connections }, registryAddr);
  const servers: Pick<HttpServer, "deaf" | "shutdown">[] = [plain];
  stack.push("registry servers", () => drain(registry, servers));
  if (tls) servers.push(tls.serve({ fetch, connections }));
  for (const server of servers) readiness.listens(server);
  return plain;
}

/** Writes the mirror configuration, if there is a directory for it, and repairs it from then on. */
async function configureMirrors(
  config: Config,
  { auth, opened: { registryConfigPath }, runtime }: AgentParts,
  stack: StopStack,
): Promise<void> {
  if (registryConfigPath === undefined) {
    return stack.push("credentials", auth.follow(() => Promise.resolve()));
  }
  const mirrorConfig = {
    ...config,
    containerdRegistryConfigPath: registryConfigPath,
    authorization: auth.current,
  };
  const apply = () => applyMirrorConfiguration(mirrorConfig, runtime.log);
  await apply();
  stack.push("configurator", keepMirrorConfiguration(mirrorConfig, runtime));
  stack.push("credentials", auth.follow(apply));
}

/** Starts to find out whether containerd asks this agent; returns a function that stops it. */
function tryMirrorUse(mirrorUse: MirrorUse, { runtime: { log } }: AgentParts) {
  return inBackground(
    (options) => mirrorUse.run(options),
    (error) => log.error("it is no longer tried whether containerd asks this agent", { error }),
  );
}

/** Starts advertising the content of the store; returns a function that stops it. */
function advertise({ advertiser, runtime: { log } }: AgentParts): () => Promise<void> {
  return inBackground(
    (options) => advertiser.run(options),
    (error) => log.error("the store is no longer watched", { error }),
  );
}

/** Lets transfers end, then closes the servers. The router answers peers meanwhile. */
async function drain(
  registry: RegistryApp,
  servers: readonly Pick<HttpServer, "shutdown">[],
): Promise<void> {
  using limit = deadline(DRAIN_MS);
  const drained = registry.drain({ signal: limit.signal });
  await Promise.all(servers.map((server) => server.shutdown(DRAIN_MS)));
  await drained;
}

function urlOf({ hostname, port }: HttpServer): string {
  return localUrl({ host: hostname, port });
}
