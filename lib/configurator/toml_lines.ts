/** A logical line of a TOML document: a value that spans several lines is one. */
export interface TomlLine {
  readonly kind: "header" | "comment" | "blank" | "key";
  /** Source text, with the line ending if there is one. */
  readonly text: string;
  /** Its comments, from `#` on. */
  readonly comments: readonly string[];
}

const QUOTES = ['"""', "'''", '"', "'"] as const;

/** Splits a well-formed document; the texts concatenated are the document. */
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

/** End of the logical line that begins at `start`: newlines in strings and arrays do not count. */
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
      // A multi-line string may end in quotes of its own.
      while (quote.length === 3 && document[at + 3] === quote[0]) at++;
      return at + quote.length;
    }
  }
  return document.length;
}
