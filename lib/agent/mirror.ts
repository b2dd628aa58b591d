import { RateLimiter } from "../async/rate_limiter.ts";
import type { Config } from "../config/options.ts";
import { createTlsConnect } from "../mirror/http/connect_tls.ts";
import { createMirror, type HttpMirror, type MirrorCollaborators } from "../mirror/mirror.ts";
import type { PeerTls } from "./peer_tls.ts";

/** With a download limit, blobs that take longer than this are streamed before verification, s. */
const MOST_HELD_BACK_S = 10;

/** What {@link createAgentMirror} works with. */
export interface AgentMirrorCollaborators extends
  Pick<
    MirrorCollaborators,
    | "router"
    | "elections"
    | "authorizations"
    | "peerAuth"
    | "trustedAddresses"
    | "clock"
    | "log"
    | "metrics"
  > {
  /** Undefined: connections to peers are not encrypted. */
  readonly tls: PeerTls | undefined;
}

/** Creates the mirror from the configuration. */
export function createAgentMirror(
  config: Config,
  { tls, ...collaborators }: AgentMirrorCollaborators,
): HttpMirror {
  const { downloadLimit, verifyWholeLimit } = config;
  return createMirror({
    ...collaborators,
    connect: tls && createTlsConnect(tls.trust, collaborators),
    connectsSecurely: tls !== undefined,
    downloads: downloadLimit === undefined
      ? undefined
      : new RateLimiter(collaborators.clock, downloadLimit),
  }, {
    resolveTimeoutMs: config.mirrorResolveTimeout,
    resolveRetries: config.mirrorResolveRetries,
    verify: config.verifyPeerContent,
    verifyWholeBytes: Math.min(verifyWholeLimit, (downloadLimit ?? Infinity) * MOST_HELD_BACK_S),
    verifyWholeTotalBytes: config.verifyWholeMemory,
  });
}
