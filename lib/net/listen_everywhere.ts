/**
 * Listens on a host; on an empty one on all addresses, including IPv6 where available.
 *
 * @throws what `listen` throws.
 */
export function listenEverywhere<T>(host: string, listen: (host: string) => T): T {
  if (host !== "") return listen(host);
  try {
    return listen("::");
  } catch (error) {
    // A kernel without IPv6 lacks the address; any other error recurs with IPv4.
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return listen("0.0.0.0");
  }
}
