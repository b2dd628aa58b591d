/**
 * Header of a node's answer about a tag: when its image record was made or last changed, in ms since
 * 1970. By it nodes tell which of several digests is the newest.
 */
export const TAG_TIME_HEADER = "x-eddy-tag-time";

/** The time that a header holds; undefined if it holds none. */
export function parseTagTime(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
