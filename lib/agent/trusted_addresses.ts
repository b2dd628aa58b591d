import type { Config } from "../config/options.ts";
import { TrustedAddresses } from "../router/bootstrap/trusted_addresses.ts";
import { type BootstrapperCollaborators, chooseBootstrapper } from "./bootstrapper.ts";

/** A node's bootstrapper, and whom it believes by it. */
export interface AgentBootstrap {
  readonly bootstrapper: TrustedAddresses;
  /** Whose word on a tag is taken; undefined: everybody's, or theirs who prove that they are nodes. */
  readonly trustedAddresses: TrustedAddresses | undefined;
}

/**
 * Makes the bootstrapper that is configured. While upstream is away, and where nodes prove
 * nothing, what it names is also who is believed what a tag means.
 *
 * @throws {ConfigError} if the configured peers are malformed.
 */
export function createBootstrap(
  config: Config,
  { keys, clock, log, ...others }: BootstrapperCollaborators & {
    /** Of the cluster; undefined: there is none. */
    readonly keys: readonly string[] | undefined;
  },
): AgentBootstrap {
  // By TLS, where nothing else is asked, whoever answers has shown a certificate.
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
      "whoever answers to multicast is not believed what a tag means: no tags of other " +
        "nodes while upstream is away",
      { fix: "--cluster-key-file or --tag-policy peer" },
    );
  }
  return { bootstrapper, trustedAddresses: byName ? bootstrapper : undefined };
}
