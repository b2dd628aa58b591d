/** The label value of all values beyond the limit. */
const OTHER_LABEL = "other";

/**
 * Makes a function that passes the first `limit` distinct label values and maps later ones to
 * `other`: each label value takes memory forever, and some come from requests.
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
