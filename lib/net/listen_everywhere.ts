/**
 * Listens on a host; on an empty one everywhere, IPv6 included where there is such a thing.
 *
 * @throws what `listen` throws.
 */
export function listenEverywhere<T>(host: string, listen: (host: string) => T): T {
  if (host !== "") return listen(host);
  try {
    return listen("::");
  } catch (error) {
    // A kernel without IPv6 has no such address; whatever else is wrong is so for IPv4 as well.
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return listen("0.0.0.0");
  }
}
