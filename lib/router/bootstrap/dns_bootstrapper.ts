import type { Cancellable } from "../../ports/cancellable.ts";
import type { BootstrapPeer, Bootstrapper } from "./bootstrapper.ts";
import { rememberHosts } from "./remember_hosts.ts";
import { type ResolveHost, resolveHost } from "./resolve_host.ts";
import { type ResolveService, resolveService } from "./resolve_service.ts";

/** Maximum addresses of one answer; more than fit into one. */
const MAX_ADDRESSES = 8192;
/** Maximum instances of a service: each must be resolved. */
const MAX_INSTANCES = 512;

export interface DnsBootstrapperOptions {
  /**
   * Name with A and AAAA records of the peers, e.g. of a headless service; or, if it begins with an
   * underscore, such as `_router._tcp.eddy.example`, with SRV records.
   */
  readonly domain: string;
}

export interface DnsBootstrapperCollaborators {
  readonly resolve?: ResolveHost;
  readonly resolveSrv?: ResolveService;
}

/**
 * Bootstraps from all addresses of a DNS name, at this node's own router port; from SRV records, at
 * each record's port.
 */
export function createDnsBootstrapper(
  options: DnsBootstrapperOptions,
  collaborators: DnsBootstrapperCollaborators = {},
): Bootstrapper {
  const { resolve = resolveHost, resolveSrv = resolveService } = collaborators;
  const { domain } = options;
  const resolveInstance = rememberHosts(resolve);
  if (domain === "") throw new TypeError("DNS bootstrap domain is empty, want a name");
  return {
    async get({ signal }) {
      if (domain.startsWith("_")) return await instances(domain, { signal });
      const addresses = await resolve(domain, { signal });
      return addresses.slice(0, MAX_ADDRESSES).map((ip) => ({ addresses: [{ ip }] }));
    },
  };

  async function instances(name: string, { signal }: Cancellable): Promise<BootstrapPeer[]> {
    const targets = (await resolveSrv(name, { signal })).slice(0, MAX_INSTANCES);
    const results = await Promise.allSettled(targets.map(async ({ host, port }) => {
      const ips = await resolveInstance(host, { signal });
      return { addresses: ips.map((ip) => ({ ip, port })) };
    }));
    signal.throwIfAborted();
    const peers = results.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
    const failed = results.find((one) => one.status === "rejected");
    if (peers.length === 0 && failed !== undefined) throw failed.reason;
    return peers;
  }
}
