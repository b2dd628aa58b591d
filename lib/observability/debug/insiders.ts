import { ipOf } from "../../net/ip.ts";
import { isAuthorized } from "../../oci/basic_auth.ts";

/** Who may see private images. */
export interface Insiders {
  /** Tells whether an IP address belongs to this node. */
  readonly isLocalClient: (address: string) => boolean;
  /** Accepted `Authorization` headers of other clients; empty: none is accepted. */
  readonly authorizations: () => readonly string[];
}

/** A proxy that adds these forwards another client's request. */
const OF_PROXIES = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/** Tells whether a request comes from the node itself, or has the mirror's credentials. */
export function isInsider(
  request: Request,
  remote: Deno.Addr | undefined,
  { isLocalClient, authorizations }: Insiders,
): boolean {
  const { headers, url } = request;
  const accepted = authorizations();
  if (accepted.length > 0 && isAuthorized(headers.get("authorization"), accepted)) return true;
  if (OF_PROXIES.some((name) => headers.has(name))) return false;
  // DNS rebinding: another site's name can resolve to this address, and a browser on the node must
  // not read for that site.
  if (!isOwnName(new URL(url).hostname)) return false;
  if (remote === undefined || !("hostname" in remote)) return false;
  return isLocalClient(ipOf(remote));
}

function isOwnName(host: string): boolean {
  return host === "localhost" || host.startsWith("[") || /^[\d.]+$/.test(host);
}
