/** An IPv4 address as shown by a dual-stack socket (RFC 4291, section 2.5.5.2). */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** The IP address of a socket's end, IPv4 in its usual form; empty if it has none. */
export function ipOf(address: Deno.Addr): string {
  return "hostname" in address ? address.hostname.replace(MAPPED, "") : "";
}

/** Whether an address is reachable only from this machine or network namespace. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
