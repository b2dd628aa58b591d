import { LRUCache } from "lru-cache";
import type { ResolveHost } from "./resolve_host.ts";

/** Names that are remembered, and how long, ms. */
const MAX_HOSTS = 1024;
const KEPT_MS = 24 * 3_600_000;

/**
 * The same resolver, which goes on to say what a name meant last where it cannot be resolved any
 * more: one of several name servers that is away must not take nodes off a list.
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
