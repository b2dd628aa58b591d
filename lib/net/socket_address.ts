/** How a socket for both families shows an IPv4 address (RFC 4291, section 2.5.5.2). */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** The IP address of a socket's end; IPv4 in its usual form. Empty if it has none. */
export function ipOf(address: Deno.Addr): string {
  return "hostname" in address ? address.hostname.replace(MAPPED, "") : "";
}

/** Whether only this machine, or this network namespace, can have the address. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
