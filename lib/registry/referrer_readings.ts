import type { Digest } from "../oci/digest.ts";
import type { Listing } from "../oci/listing.ts";
import { parseReferrer, type ReferrerDescriptor } from "../oci/referrer.ts";

/** The most referrers of one answer, and their bytes, unless the first alone is larger. */
const MAX_REFERRERS = 128;
const MAX_BYTES = 512 * 1024;

/** What was read of some candidates. */
export interface Reading {
  readonly found: readonly ReferrerDescriptor[];
  /** Nothing after this one may be listed yet, since another one follows. */
  readonly next: Digest | undefined;
  /** The time was up. */
  readonly isCut: boolean;
}

/** Joins what was read of several lists, up to the first of some ends. */
export function joinReadings(
  { last = "", n }: Pick<Listing, "last" | "n">,
  readings: readonly Reading[],
  ends: readonly (Digest | undefined)[],
): Reading {
  const [end] = ends.filter((one) => one !== undefined && one > last).sort();
  const all = new Map(readings.flatMap(({ found }) => found).map((one) => [one.digest, one]));
  const within = [...all.values()].filter(({ digest }) => end === undefined || digest <= end)
    .sort((a, b) => a.digest < b.digest ? -1 : 1);
  const found = within.slice(0, fittingReferrers(within, mostReferrers(n)));
  return {
    found,
    next: found.length < within.length ? found.at(-1)?.digest : end,
    isCut: readings.some(({ isCut }) => isCut),
  };
}

/** The most referrers that are wanted and listed. */
export function mostReferrers(n = MAX_REFERRERS): number {
  return Math.min(Math.max(n, 1), MAX_REFERRERS);
}

/** How many of the first descriptors fit into an answer. */
export function fittingReferrers(found: readonly ReferrerDescriptor[], most: number): number {
  let bytes = 0;
  const end = found.findIndex((entry, index) => {
    bytes += JSON.stringify(entry).length;
    return index >= most || (index > 0 && bytes > MAX_BYTES);
  });
  return end < 0 ? found.length : end;
}

/** Undefined if it is about something else. */
export function describeReferrer(
  digest: Digest,
  content: Uint8Array,
  subject: Digest | undefined,
): ReferrerDescriptor | undefined {
  const { subject: of, mediaType, ...rest } = parseReferrer(content) ?? {};
  if (of === undefined || of !== subject || mediaType === undefined) return undefined;
  return { mediaType, digest, size: content.length, ...rest };
}
