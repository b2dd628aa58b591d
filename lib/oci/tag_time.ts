/** Parses a tag time header, ms since 1970; undefined if it is missing or malformed. */
export function parseTagTime(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
