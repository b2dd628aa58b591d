/** What a line of a TOML document begins. Values that go on over several lines are one line here. */
export interface TomlLine {
  readonly kind: "header" | "comment" | "blank" | "key";
  /** With its line's end, if it has one. */
  readonly text: string;
  /** The comments in it, from `#` on. */
  readonly comments: readonly string[];
}

const QUOTES = ['"""', "'''", '"', "'"] as const;

/** Takes a well-formed document apart; the texts put together are the document. */
export function tomlLines(document: string): TomlLine[] {
  const lines: TomlLine[] = [];
  for (let start = 0; start < document.length;) {
    const { end, comments } = endOfLine(document, start);
    const text = document.slice(start, end);
    lines.push({ kind: kindOf(text.trimStart()), text, comments });
    start = end;
  }
  return lines;
}

function kindOf(text: string): TomlLine["kind"] {
  if (text === "") return "blank";
  if (text.startsWith("[")) return "header";
  return text.startsWith("#") ? "comment" : "key";
}

/** Where the line ends that begins at `start`: line ends in strings and lists do not count. */
function endOfLine(document: string, start: number): { end: number; comments: string[] } {
  const comments: string[] = [];
  let depth = 0;
  for (let at = start; at < document.length; at++) {
    const char = document[at];
    const quote = QUOTES.find((each) => document.startsWith(each, at));
    if (quote !== undefined) at = endOfString(document, at, quote) - 1;
    else if (char === "#") {
      const end = document.indexOf("\n", at);
      comments.push(document.slice(at, end < 0 ? undefined : end).trimEnd());
      at = (end < 0 ? document.length : end) - 1;
    } else if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}") depth--;
    else if (char === "\n" && depth <= 0) return { end: at + 1, comments };
  }
  return { end: document.length, comments };
}

function endOfString(document: string, start: number, quote: typeof QUOTES[number]): number {
  const escapes = quote.startsWith('"');
  for (let at = start + quote.length; at < document.length; at++) {
    if (escapes && document[at] === "\\") at++;
    else if (document.startsWith(quote, at)) {
      // A string of several lines may end in quotes of its own.
      while (quote.length === 3 && document[at + 3] === quote[0]) at++;
      return at + quote.length;
    }
  }
  return document.length;
}
