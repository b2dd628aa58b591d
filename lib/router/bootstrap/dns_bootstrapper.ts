import type { Bootstrapper } from "./bootstrapper.ts";
import { type ResolveHost, resolveHost } from "./resolve_host.ts";

/** Settings of {@link createDnsBootstrapper}. */
export interface DnsBootstrapperOptions {
  /** Name whose A and AAAA records are the peers, e.g. that of a headless service. */
  readonly domain: string;
}

/** Begins with all addresses of one DNS name, each at this node's own router port. */
export function createDnsBootstrapper(
  options: DnsBootstrapperOptions,
  collaborators: { readonly resolve?: ResolveHost } = {},
): Bootstrapper {
  const { resolve = resolveHost } = collaborators;
  if (options.domain === "") throw new TypeError("DNS bootstrap domain is empty, want a name");
  return {
    async get({ signal }) {
      const addresses = await resolve(options.domain, { signal });
      return addresses.map((ip) => ({ addresses: [{ ip }] }));
    },
  };
}
