import type { Deliveries } from "./deliveries.ts";
import type { Source } from "../selection/source.ts";

/** A peer of which nothing at all has come for so long does not get on, ms. */
const QUIET_MS = 1000;
/**
 * A peer that is still getting it itself, and meanwhile delivers something else, is waited for so
 * much longer, ms: of several connections that fill upstream's line at the same time one may get
 * nothing for seconds (RFC 6298, section 2.1: packets are sent again after 1 s, then after 2 s).
 */
const BUSY_PATIENCE_MS = 3000;
/**
 * What arrives more slowly at a peer may come faster from upstream, which is worth a question: the
 * answer costs upstream one transfer more at most.
 */
const MIN_ARRIVING_BYTES_PER_SECOND = 512 * 1024;

/** How much longer than usual bytes of a source are waited for now, ms. */
export function patienceMs(
  { arriving, patienceMs, peer }: Pick<Source, "arriving" | "patienceMs" | "peer">,
  deliveries: Deliveries,
  now: number,
): number {
  const isBusy = arriving && now - deliveries.last(peer.id) < QUIET_MS;
  return patienceMs + (isBusy ? BUSY_PATIENCE_MS : 0);
}

/** Options under which a body that comes from a source at first is slow. */
export function watchOptions<T extends { readonly minBytesPerSecond: number }>(
  { arriving }: Pick<Source, "arriving">,
  options: T,
): T {
  if (!arriving) return options;
  const { minBytesPerSecond } = options;
  return {
    ...options,
    minBytesPerSecond: Math.max(minBytesPerSecond, MIN_ARRIVING_BYTES_PER_SECOND),
  };
}
