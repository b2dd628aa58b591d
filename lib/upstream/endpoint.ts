import { isIP } from "node:net";
import type { Cancellable } from "../ports/cancellable.ts";

/** A server that has a registry's content. */
export interface UpstreamEndpoint {
  /** Base of its API without a slash at its end, e.g. `https://registry-1.docker.io/v2`. */
  readonly url: string;
  /** Certificates that are trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
  /** Headers that each request carries, as the user configured them; may be secret. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The user's configuration names its host, which may then be anywhere, even on this machine. False:
   * whoever asks for an image has named it.
   */
  readonly named: boolean;
}

/** Tells where a registry's content is: what the user configured, else {@link defaultEndpoint}. */
export type UpstreamEndpoints = (
  registry: string,
  options: Cancellable,
) => Promise<readonly UpstreamEndpoint[]>;

/** Where images of `docker.io` really are. */
const DOCKER_HUB = "registry-1.docker.io";

/**
 * The server that containerd asks when nothing is configured for a registry (host[:port]).
 *
 * @throws {TypeError} if it is no host.
 */
export function defaultEndpoint(registry: string): UpstreamEndpoint {
  const host = registry === "docker.io" ? DOCKER_HUB : registry;
  const scheme = isLoopbackHost(new URL(`http://${host}`).hostname) ? "http" : "https";
  return { url: `${scheme}://${host}/v2`, caCertificates: [], headers: {}, named: false };
}

/**
 * Tells whether a server is the one that a registry's name says, rather than a mirror of it. containerd
 * names the registry to all others (core/remotes/docker/registry.go, `isProxy`).
 */
export function isRegistryItself(host: string, registry: string): boolean {
  return host === registry || (registry === "docker.io" && host === DOCKER_HUB);
}

/** Tells whether a URL's host name is this machine, without asking anyone. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (host === "localhost" || host.endsWith(".localhost") || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}
