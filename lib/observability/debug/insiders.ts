import { ipOf } from "../../net/socket_address.ts";
import { isAuthorized } from "../../oci/basic_auth.ts";

/** Who may see everything. */
export interface Insiders {
  /** Tells whether an IP address is one of this node. */
  readonly isLocalClient: (address: string) => boolean;
  /** `Authorization` headers that are accepted from elsewhere; empty: none is. */
  readonly authorizations: () => readonly string[];
}

/** Whoever adds these asks for somebody else, wherever it runs. */
const OF_PROXIES = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/** Tells whether a request comes from the node itself, or shows the mirror's credentials. */
export function isInsider(
  request: Request,
  remote: Deno.Addr | undefined,
  { isLocalClient, authorizations }: Insiders,
): boolean {
  const { headers, url } = request;
  const accepted = authorizations();
  if (accepted.length > 0 && isAuthorized(headers.get("authorization"), accepted)) return true;
  if (OF_PROXIES.some((name) => headers.has(name))) return false;
  // Another site's name can be made to lead here: a browser on the node must not read for that site.
  if (!isOwnName(new URL(url).hostname)) return false;
  if (remote === undefined || !("hostname" in remote)) return false;
  return isLocalClient(ipOf(remote));
}

function isOwnName(host: string): boolean {
  return host === "localhost" || host.startsWith("[") || /^[\d.]+$/.test(host);
}
