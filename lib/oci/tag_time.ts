/** The time that a tag time header holds, ms since 1970; undefined if it holds none. */
export function parseTagTime(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
