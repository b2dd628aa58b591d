import { expiringCache } from "../async/expiring_cache.ts";
import type { Config } from "../config/options.ts";
import { registryHost } from "../config/types.ts";
import { denoFileSystem } from "../configurator/deno_file_system.ts";
import { readUpstreamServers, type UpstreamServer } from "../configurator/upstream_servers.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { NodeCredentials } from "../ports/access.ts";
import { defaultEndpoint, type UpstreamEndpoint } from "../upstream/endpoint.ts";
import { mirrorTargetsOf } from "./mirror_configuration.ts";
import type { ServerCredentials } from "./node_credentials.ts";
import type { TrustedAuthorities } from "./trusted_authorities.ts";

/** How long the content of hosts.toml is cached, ms, and for how many registries. */
const ENDPOINTS_TTL_MS = 10_000;
const MAX_REGISTRIES = 256;

/** A registry's servers, or why they are unknown. */
type Known = { readonly endpoints: readonly UpstreamEndpoint[] } | { readonly error: unknown };

/**
 * Returns the upstream servers of a registry.
 *
 * @throws if containerd cannot use the registry's configuration either.
 */
type Endpoints = (registry: string) => Promise<readonly UpstreamEndpoint[]>;

/** Finds the servers that containerd would use; none if the registry's name is not a host. */
export function configuredEndpoints(
  config:
    & Pick<Config, "mirroredRegistries" | "mirrorTargets" | "registryAddr">
    & { readonly registryConfigPath: string | undefined },
  { clock, log }: Pick<Runtime, "clock" | "log">,
): Endpoints {
  const own = mirrorTargetsOf(config);
  const flagged = new Set(config.mirroredRegistries.map(registryHost));
  const configPath = config.registryConfigPath?.replace(/\/+$/, "");
  const kept = expiringCache<string, Known>(clock, {
    max: MAX_REGISTRIES,
    ttlMs: ENDPOINTS_TTL_MS,
  });
  const read = async (registry: string): Promise<readonly UpstreamServer[]> => {
    if (configPath === undefined) return [];
    const { servers, problem } = await readUpstreamServers({ fileSystem: denoFileSystem }, {
      configPath,
      registry,
      own,
    });
    if (problem !== undefined) {
      log.warn("containerd ignores a registry's hosts.toml", {
        registry,
        configPath,
        error: problem,
      });
    }
    return servers;
  };
  const endpointsOf = async (registry: string): Promise<Known> => {
    try {
      const byName = { ...defaultEndpoint(registry), named: flagged.has(registry) };
      const endpoints = (await read(registry)).map(({ url, ...server }): UpstreamEndpoint =>
        url === undefined ? withDefaults(server, byName) : { ...server, url }
      );
      return { endpoints: endpoints.length > 0 ? endpoints : [byName] };
    } catch (error) {
      log.warn("the servers of a registry could not be read: its images count as private", {
        registry,
        configPath,
        error,
      });
      return { error };
    }
  };
  return async (registry) => {
    if (!URL.canParse(`https://${registry}`)) return [];
    let known = kept.get(registry);
    if (known === undefined) kept.set(registry, known = await endpointsOf(registry));
    if ("error" in known) throw known.error;
    return known.endpoints;
  };
}

/** A server without a URL of its own: what follows from the registry's name goes first. */
function withDefaults(
  server: Omit<UpstreamServer, "url">,
  byName: UpstreamEndpoint,
): UpstreamEndpoint {
  const { url, named, httpsFirst = false, skipVerify = server.skipVerify } = byName;
  return { ...server, url, httpsFirst, skipVerify, named: server.named || named };
}

/** Adds the node's credentials to the servers. */
export function withServerCredentials(
  endpoints: Endpoints,
  servers: ServerCredentials | undefined,
): Endpoints {
  if (servers === undefined) return endpoints;
  return async (registry) =>
    await Promise.all((await endpoints(registry)).map(async (endpoint) => {
      const credentials = await servers(new URL(endpoint.url));
      return credentials === undefined ? endpoint : { ...endpoint, credentials };
    }));
}

/** Adds authorities to those that the servers' certificates may be of. */
export function withAuthorities(
  endpoints: Endpoints,
  authorities: Pick<TrustedAuthorities, "current">,
): Endpoints {
  return async (registry) => {
    const [known, trusted] = await Promise.all([endpoints(registry), authorities.current()]);
    if (trusted.length === 0) return known;
    return known.map((endpoint) => ({
      ...endpoint,
      caCertificates: [...endpoint.caCertificates, ...trusted],
    }));
  };
}

/**
 * The node's own credentials for an image: those for the image, else those for the registry's
 * servers, which the runtime, too, sends with each pull of this node.
 */
export function withConfiguredAccess(
  images: NodeCredentials | undefined,
  endpoints: Endpoints,
): NodeCredentials {
  return async (reference) => {
    const found = await images?.(reference);
    if (found !== undefined) return found;
    const servers = await endpoints(reference.registry).catch(() => []);
    const shown = servers.map(({ headers, credentials }) => ({ headers, credentials }));
    const isNothing = shown.every(({ headers, credentials }) =>
      Object.keys(headers).length === 0 && credentials === undefined
    );
    if (isNothing) return undefined;
    return { username: "", password: "", configured: JSON.stringify(shown) };
  };
}
