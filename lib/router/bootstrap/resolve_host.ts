import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { untilAborted } from "../../async/until_aborted.ts";
import type { Cancellable } from "../../ports/cancellable.ts";

/** Resolves a host; rejects if it has no addresses or the signal aborts. */
export type ResolveHost = (host: string, options: Cancellable) => Promise<string[]>;

/**
 * All IPv4 and IPv6 addresses of a host by the system's resolver, including `/etc/hosts`. A query
 * cannot be cancelled: an abort only ends the wait.
 */
export async function resolveHost(host: string, { signal }: Cancellable): Promise<string[]> {
  signal.throwIfAborted();
  if (isIP(host) !== 0) return [host];
  const found = await untilAborted(lookup(host, { all: true }), signal);
  return [...new Set(found.map(({ address }) => address))];
}
