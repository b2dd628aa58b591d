import type { Config } from "../config/options.ts";
import { TrustedAddresses } from "../router/bootstrap/trusted_addresses.ts";
import { type BootstrapperCollaborators, chooseBootstrapper } from "./bootstrapper.ts";

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
  { keys, clock, log, ...others }: BootstrapperCollaborators & {
    /** Cluster keys; undefined if there are none. */
    readonly keys: readonly string[] | undefined;
  },
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
