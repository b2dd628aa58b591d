/** The label value that stands for all values beyond the limit. */
export const OTHER_LABEL = "other";

/**
 * Makes a function that passes the first `limit` distinct label values and turns every later one
 * into `other`: each value of a label costs memory for good, and some come from requests.
 */
export function labelLimit(limit: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= limit) return OTHER_LABEL;
    known.add(value);
    return value;
  };
}
