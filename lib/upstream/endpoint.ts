import { withoutBrackets } from "../net/host_port.ts";
import { isLoopback } from "../net/ip.ts";
import type { Credentials } from "../oci/credentials.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { HeaderFields } from "./http/header_fields.ts";
import type { ClientPair, TlsSettings } from "./tls_settings.ts";

/** A server with a registry's content. */
export interface UpstreamEndpoint extends TlsSettings {
  /** Base URL of its API without a trailing slash, e.g. `https://registry-1.docker.io/v2`. */
  readonly url: string;
  /** Configured headers of each request; may be secret. */
  readonly headers: HeaderFields;
  /** Dial timeout, ms; undefined: none. */
  readonly dialTimeoutMs?: number | undefined;
  /** Client certificates to try if the server does not accept `client`. */
  readonly otherClients?: readonly ClientPair[];
  /** True: at an `http:` URL, HTTPS is tried first; default false. */
  readonly httpsFirst?: boolean;
  /** The node's own credentials for the server, for every image. */
  readonly credentials?: Credentials;
  /**
   * Rewrite rules for repository names on the server: expressions in Go's syntax and replacements.
   * The first rule that changes a name applies.
   */
  readonly rewrites?: readonly (readonly [pattern: string, replacement: string])[];
  /** Whether it is asked for content by digest; default true. */
  readonly pulls?: boolean;
  /** Whether it is asked for tags; default true. */
  readonly resolves?: boolean;
  /**
   * True if this node's configuration names the host, which may then be at any address, including
   * this machine. False: the name comes from a client's request.
   */
  readonly named: boolean;
}

/** Returns a registry's servers: the configured ones, or else {@link defaultEndpoint}. */
export type UpstreamEndpoints = (
  registry: string,
  options: Cancellable,
) => Promise<readonly UpstreamEndpoint[]>;

/** The host that serves images of `docker.io`. */
const DOCKER_HUB = "registry-1.docker.io";

/**
 * The server that containerd asks without configuration for a registry (host[:port]): by HTTPS, or
 * on this machine by what the port speaks, without verification.
 *
 * Source: containerd core/remotes/docker/config/hosts.go, `ConfigureHosts`.
 *
 * @throws {TypeError} if it is not a valid host.
 */
export function defaultEndpoint(registry: string): UpstreamEndpoint {
  const host = registry === "docker.io" ? DOCKER_HUB : registry;
  const isLocal = isLoopbackHost(new URL(`http://${host}`).hostname);
  const url = `${isLocal ? "http" : "https"}://${host}/v2`;
  const endpoint = { url, caCertificates: [], headers: {}, named: false };
  const isHttps = isLocal && !host.endsWith(":80");
  return isHttps ? { ...endpoint, httpsFirst: true, skipVerify: true } : endpoint;
}

/**
 * Tells whether a server is the registry itself rather than a mirror of it. containerd adds the
 * registry's name to requests to mirrors (core/remotes/docker/registry.go, `isProxy`).
 */
export function isRegistryItself(host: string, registry: string): boolean {
  return host === registry || (registry === "docker.io" && host === DOCKER_HUB);
}

/** Tells whether a host name denotes this machine, without a lookup. */
function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || isLoopback(withoutBrackets(hostname));
}
