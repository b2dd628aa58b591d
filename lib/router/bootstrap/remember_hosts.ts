import { LRUCache } from "lru-cache";
import type { ResolveHost } from "./resolve_host.ts";

/** Cached names, and their lifetime, ms. */
const MAX_HOSTS = 1024;
const KEPT_MS = 24 * 3_600_000;

/**
 * Wraps a resolver so that a name that no longer resolves keeps its last addresses: a name server
 * that is down must not remove nodes from a list.
 */
export function rememberHosts(resolve: ResolveHost): ResolveHost {
  const known = new LRUCache<string, string[]>({ max: MAX_HOSTS, ttl: KEPT_MS, ttlResolution: 0 });
  return async (host, options) => {
    try {
      const addresses = await resolve(host, options);
      known.set(host, addresses);
      return addresses;
    } catch (error) {
      options.signal.throwIfAborted();
      const last = known.get(host);
      if (last === undefined) throw error;
      return last;
    }
  };
}
