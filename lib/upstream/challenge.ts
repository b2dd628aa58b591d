/** An authentication challenge of a server (RFC 9110, section 11.3). */
export interface Challenge {
  /** Scheme in lower case, e.g. `bearer`. */
  readonly scheme: string;
  /** Parameters, with names in lower case, e.g. `realm`. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Upper bounds; anything beyond is ignored. */
const MAX_HEADER_LENGTH = 8192;
const MAX_CHALLENGES = 8;
const MAX_PARAMETERS = 16;

const SEPARATORS = /[ \t,]*/y;
const SPACES = /[ \t]*/y;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\[^])*)"/y;
/** The alternative to parameters in some schemes; unused here. */
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;

/**
 * Parses a `WWW-Authenticate` header, or several joined by commas (RFC 9110, sections 11.6.1 and
 * 11.2). Never throws: everything after a malformed part is ignored.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, MAX_HEADER_LENGTH);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return undefined;
    at = pattern.lastIndex;
    return match;
  };
  while (challenges.length <= MAX_CHALLENGES) {
    take(SEPARATORS);
    const name = take(TOKEN)?.[0].toLowerCase();
    if (name === undefined) break;
    const current = challenges.at(-1);
    if (take(EQUALS) === undefined) {
      challenges.push({ scheme: name, parameters: new Map() });
      take(SPACES);
      take(TOKEN68);
      continue;
    }
    const quoted = take(QUOTED)?.[1]?.replaceAll(/\\([^])/g, "$1");
    const value = quoted ?? take(TOKEN)?.[0];
    if (current === undefined || value === undefined) break;
    const { parameters } = current;
    // The first of two applies: a proxy may have added the second.
    if (parameters.size < MAX_PARAMETERS && !parameters.has(name)) parameters.set(name, value);
  }
  return challenges.slice(0, MAX_CHALLENGES);
}
