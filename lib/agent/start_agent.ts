import type { Advertiser } from "../advertiser/advertiser.ts";
import { systemClock } from "../async/clock.ts";
import { deadline } from "../async/deadline.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { NodeTopology } from "../kubernetes/topology.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { RegistryApp } from "../registry/registry_app.ts";
import { RouterListenError } from "../router/libp2p/router_listen_error.ts";
import type { BasicAuth } from "./basic_auth.ts";
import { type HttpServer, startHttpServer } from "./http_server.ts";
import { type AgentOptions, createParts } from "./create_parts.ts";
import { applyMirrorConfiguration, keepMirrorConfiguration } from "./mirror_configuration.ts";
import { StopStack } from "./stop_stack.ts";

/** Transfers that are under way when the agent stops may go on for so long, ms. */
const DRAIN_MS = 30_000;
/** The rest of the stop is quick, or it is given up, ms. */
const STOP_MS = 5_000;

/** An agent that runs. */
export interface Agent {
  /** Peer id. */
  readonly id: string;
  /** Base URL of the registry for this machine. */
  readonly url: string;
  /** Base URL of the metrics for this machine. */
  readonly metricsUrl: string;
  /** True once it can serve and other nodes can find what it holds. */
  ready(): boolean;
  /** Zone and region of the node; undefined until they are known. */
  topology(): NodeTopology | undefined;
  /** Stops in the reverse order of the start, transfers first; does not reject. */
  stop(): Promise<void>;
}

/**
 * Starts all parts of an agent in order; mirror configuration is written last, so that containerd is
 * never sent to an agent that cannot answer. The signal only ends the start; {@link Agent.stop} ends
 * the agent.
 *
 * @throws {ConfigError} if the node does not fit the configuration.
 * @throws {ListenError} if an address is taken.
 */
export async function startAgent(config: Config, options: AgentOptions): Promise<Agent> {
  const stack = new StopStack(options.log);
  try {
    return await startParts(config, options, stack);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

async function startParts(
  config: Config,
  options: AgentOptions,
  stack: StopStack,
): Promise<Agent> {
  const { log } = options;
  const parts = await createParts(config, options, stack);
  const { router, registry, advertiser, auth, tls, kubernetes, metricsApp } = parts;
  const { connections, readiness } = parts;
  const { ready } = readiness;

  // Ports first: an address that is taken must be noticed before anything is made known.
  const metricsServer = startHttpServer(
    { fetch: metricsApp.fetch, log, connections: connections.pages },
    config.metricsAddr,
  );
  readiness.listens(metricsServer);
  stack.push("metrics server", () => metricsServer.shutdown(STOP_MS));
  stack.push("router", () => router.stop());
  await router.start().catch((error) => {
    // The embedded mirror's router has the same port by default.
    const known = error instanceof RouterListenError && parts.embeddedMirror !== undefined;
    throw known ? new ConfigError(`${error.message}; ${parts.embeddedMirror}`) : error;
  });
  const { fetch } = registry.app;
  const server = startHttpServer({ fetch, log, connections }, config.registryAddr);
  const servers: Pick<HttpServer, "deaf" | "shutdown">[] = [server];
  stack.push("registry servers", () => drain(registry, servers));
  if (tls) servers.push(tls.serve({ fetch, connections }));
  for (const each of servers) readiness.listens(each);
  // First of these when the agent stops: peers then ask others while transfers under way end.
  stack.push("goodbye", () => router.leave());
  stack.push("watcher", follow(advertiser, log));
  const { registryConfigPath } = parts;
  await configureMirrors({ ...config, registryConfigPath }, auth, {
    log,
    clock: systemClock,
    stack,
  });
  readiness.configured();
  stack.push("kubernetes", kubernetes.follow(ready));
  return {
    id: router.id,
    url: localUrl(server),
    metricsUrl: localUrl(metricsServer),
    ready,
    topology: kubernetes.topology,
    stop: () => stack.stop(),
  };
}

/** Writes the mirror configuration, if there is a directory for it, and keeps it right. */
async function configureMirrors(
  config: Config & { readonly registryConfigPath: string | undefined },
  auth: BasicAuth,
  { log, clock, stack }: { readonly log: Log; readonly clock: Clock; readonly stack: StopStack },
): Promise<void> {
  const { registryConfigPath } = config;
  if (registryConfigPath === undefined) {
    return stack.push("credentials", auth.follow(() => Promise.resolve()));
  }
  const mirrorConfig = {
    ...config,
    containerdRegistryConfigPath: registryConfigPath,
    authorization: auth.current,
  };
  await applyMirrorConfiguration(mirrorConfig, log);
  stack.push("configurator", keepMirrorConfiguration(mirrorConfig, { log, clock }));
  stack.push("credentials", auth.follow(() => applyMirrorConfiguration(mirrorConfig, log)));
}

/** Follows the store in the background; returns how to end that. */
function follow(advertiser: Advertiser, log: Log): () => Promise<void> {
  const stop = new AbortController();
  const followed = advertiser.run({ signal: stop.signal })
    .catch((error) => log.error("the store is no longer followed", { error }));
  return () => {
    stop.abort();
    return followed;
  };
}

/** Lets transfers end, then closes the servers: the router goes on answering peers meanwhile. */
async function drain(
  registry: RegistryApp,
  servers: readonly Pick<HttpServer, "shutdown">[],
): Promise<void> {
  using limit = deadline(DRAIN_MS);
  const drained = registry.drain({ signal: limit.signal });
  await Promise.all(servers.map((server) => server.shutdown(DRAIN_MS)));
  await drained;
}

function localUrl({ hostname, port }: HttpServer): string {
  const everywhere = hostname === "::" || hostname === "0.0.0.0";
  const host = everywhere ? "127.0.0.1" : hostname.includes(":") ? `[${hostname}]` : hostname;
  return `http://${host}:${port}`;
}
