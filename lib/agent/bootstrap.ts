import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { createEndpointSliceBootstrapper } from "../kubernetes/endpoint_slice_bootstrapper.ts";
import type { ConnectionBudget } from "../net/connection_budget.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Bootstrapper } from "../router/bootstrap/bootstrapper.ts";
import { createDnsBootstrapper } from "../router/bootstrap/dns_bootstrapper.ts";
import { createHttpBootstrapper } from "../router/bootstrap/http_bootstrapper.ts";
import { createMdnsBootstrapper } from "../router/bootstrap/mdns/mdns_bootstrapper.ts";
import { createStaticBootstrapper } from "../router/bootstrap/static_bootstrapper.ts";
import { TrustedAddresses } from "../router/bootstrap/trusted_addresses.ts";
import { TrustedAuthorities } from "./trusted_authorities.ts";

/** Collaborators of {@link createBootstrap}. */
export interface BootstrapCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly kubernetes: () => KubernetesApi;
  /** Bounds the connections of servers. */
  readonly connections?: ConnectionBudget | undefined;
  /** Cluster keys; undefined if there are none. */
  readonly keys: readonly string[] | undefined;
}

/** The bootstrapper, with the addresses that it makes trusted. */
export interface AgentBootstrap {
  readonly bootstrapper: TrustedAddresses;
  /** Peers that are trusted to resolve tags; undefined: all, or those that authenticate. */
  readonly trustedAddresses: TrustedAddresses | undefined;
}

/**
 * Creates the configured bootstrapper. Where nodes do not authenticate, the addresses that it finds
 * are also the peers that are trusted to resolve tags while upstream is unreachable.
 *
 * @throws {ConfigError} if the configured peers are malformed.
 */
export function createBootstrap(
  config: Config,
  { keys, clock, log, ...others }: BootstrapCollaborators,
): AgentBootstrap {
  // Where TLS is required, every peer that answers has presented a certificate.
  const isProven = keys !== undefined ||
    (config.peerTlsDir !== undefined && config.peerTlsMode === "require");
  const byName = !isProven && config.tagPolicy === "verify" && config.resolveTags;
  const bootstrapper = new TrustedAddresses({
    bootstrapper: chooseBootstrapper(config, { clock, log, ...others }, { whole: byName }),
    clock,
    log: log.child({ part: "bootstrap" }),
  });
  if (byName && config.bootstrapKind === "mdns") {
    log.warn(
      "peers found by multicast are not trusted to resolve tags: while upstream is unreachable, " +
        "tags of other nodes are not used",
      { fix: "--cluster-key-file or --tag-policy peer" },
    );
  }
  return { bootstrapper, trustedAddresses: byName ? bootstrapper : undefined };
}

/**
 * Creates the configured bootstrapper; without one the node starts alone.
 *
 * @param whole whether it must find all nodes, not only enough to join.
 */
function chooseBootstrapper(
  config: Config,
  { kubernetes, clock, log, connections }: Omit<BootstrapCollaborators, "keys">,
  { whole }: { readonly whole: boolean },
): Bootstrapper {
  switch (config.bootstrapKind) {
    case "dns":
      return createDnsBootstrapper({ domain: config.dnsBootstrapDomain ?? "" });
    case "http": {
      const authorities = new TrustedAuthorities(config.upstreamCa, { clock, log });
      return createHttpBootstrapper({
        url: config.httpBootstrapUrl ?? "",
        listen: config.httpBootstrapAddr && { ...config.httpBootstrapAddr, log, connections },
        certificates: config.httpBootstrapCertDir,
        authorities: () => authorities.current(),
      });
    }
    case "static":
      try {
        return createStaticBootstrapper({ peers: config.staticBootstrapPeers });
      } catch (error) {
        throw new ConfigError(`--static-bootstrap-peers: ${messageOf(error)}`);
      }
    case "kubernetes":
      return createEndpointSliceBootstrapper({ api: kubernetes() }, {
        service: config.kubernetesBootstrapService ?? "",
        whole,
        namespace: config.kubernetesBootstrapNamespace,
      });
    case "mdns":
      return createMdnsBootstrapper({ clock, log: log.child({ part: "bootstrap" }) }, {
        interfaces: config.mdnsInterfaces,
      });
    case undefined:
      return createStaticBootstrapper({ peers: [] });
  }
}
