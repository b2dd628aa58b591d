import type { Deliveries } from "./deliveries.ts";
import type { Source } from "../selection/source.ts";

/** A peer that has delivered no bytes at all for this time is stuck, ms. */
const QUIET_MS = 1000;
/**
 * How much longer a peer may take that is still getting the content itself and delivers other
 * content meanwhile, ms. Of several connections that share upstream's bandwidth, one may get
 * nothing for seconds (RFC 6298, section 2.1: packets are retransmitted after 1 s, then after 2 s).
 */
const BUSY_PATIENCE_MS = 3000;
/**
 * Content that arrives more slowly at a peer may come faster from upstream. It is worth asking:
 * that costs upstream one more transfer at most.
 */
const MIN_ARRIVING_BYTES_PER_SECOND = 512 * 1024;

/** How much longer than usual to wait for bytes of a source, ms. */
export function patienceMs(
  { arriving, patienceMs, peer }: Pick<Source, "arriving" | "patienceMs" | "peer">,
  deliveries: Deliveries,
  now: number,
): number {
  const isBusy = arriving && now - deliveries.last(peer.id) < QUIET_MS;
  return patienceMs + (isBusy ? BUSY_PATIENCE_MS : 0);
}

/** The options by which a body is slow whose first source this is. */
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
