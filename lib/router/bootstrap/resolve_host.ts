import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { untilAborted } from "../../async/until_aborted.ts";
import type { Cancellable } from "../../ports/cancellable.ts";

/** Finds the addresses of a host; rejects if there are none or the signal aborts. */
export type ResolveHost = (host: string, options: Cancellable) => Promise<string[]>;

/**
 * All IPv4 and IPv6 addresses of a host as the system's resolver gives them, `/etc/hosts` included.
 * The resolver cannot be interrupted: an abort ends the waiting, not the query.
 */
export async function resolveHost(host: string, { signal }: Cancellable): Promise<string[]> {
  signal.throwIfAborted();
  if (isIP(host) !== 0) return [host];
  const found = await untilAborted(lookup(host, { all: true }), signal);
  return [...new Set(found.map(({ address }) => address))];
}
