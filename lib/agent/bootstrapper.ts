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

/** Collaborators of the bootstrappers. */
export interface BootstrapperCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly kubernetes: () => KubernetesApi;
  /** Bounds the connections of servers. */
  readonly connections?: ConnectionBudget | undefined;
}

/**
 * Creates the configured bootstrapper; without one the node starts alone.
 *
 * @param whole whether it must find all nodes, not only enough to join.
 */
export function chooseBootstrapper(
  config: Config,
  { kubernetes, clock, log, connections }: BootstrapperCollaborators,
  { whole }: { readonly whole: boolean },
): Bootstrapper {
  switch (config.bootstrapKind) {
    case "dns":
      return createDnsBootstrapper({ domain: config.dnsBootstrapDomain ?? "" });
    case "http":
      return createHttpBootstrapper({
        url: config.httpBootstrapUrl ?? "",
        listen: config.httpBootstrapAddr && { ...config.httpBootstrapAddr, log, connections },
        certificates: config.httpBootstrapCertDir,
      });
    case "static":
      try {
        return createStaticBootstrapper({ peers: config.staticBootstrapPeers });
      } catch (error) {
        const reason = messageOf(error);
        throw new ConfigError(`--static-bootstrap-peers: ${reason}`);
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
