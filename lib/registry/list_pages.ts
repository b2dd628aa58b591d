/** A part of a list that is in order. */
export interface Page {
  readonly entries: readonly string[];
  /** The list goes on after its last entry. */
  readonly more: boolean;
}

/**
 * Merges pages of several lists that begin at the same place. Nothing is skipped: a page that goes
 * on limits what the others may add.
 *
 * @param most entries of the result.
 */
export function mergePages(pages: readonly Page[], most: number): Page {
  const ends = pages.flatMap(({ entries, more }) => more ? entries.slice(-1) : []).sort();
  const [end] = ends;
  const all = [...new Set(pages.flatMap(({ entries }) => entries))].sort();
  const within = all.filter((entry) => end === undefined || entry <= end);
  return {
    entries: within.slice(0, most),
    more: ends.length > 0 || within.length > most,
  };
}
