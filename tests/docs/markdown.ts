/** A link of a page to something in the project. */
export interface RelativeLink {
  /** As it is written, without the anchor; empty: the page itself. */
  readonly path: string;
  /** Without `#`; empty: none. */
  readonly anchor: string;
}

/** The relative links and pictures of a page, outside of code. */
export function relativeLinks(markdown: string): RelativeLink[] {
  return [...withoutCode(markdown).matchAll(/\]\((?![a-z]+:)([^)#\s]*)#?([^)\s]*)\)/g)]
    .map(([, path = "", anchor = ""]) => ({ path, anchor }));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchors(markdown: string): Set<string> {
  const seen = new Map<string, number>();
  const found = new Set<string>();
  const text = markdown.replaceAll(/^```[^]*?^```$/gm, "");
  for (const [, heading = ""] of text.matchAll(/^#{1,6} (.*)$/gm)) {
    const slug = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").trim().toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    found.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return found;
}

/** Rows of all tables as cells, without heads. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split("\n");
  return lines
    .filter((line, index) =>
      line.startsWith("|") && !/^[|\s:-]+$/.test(line) &&
      !/^[|\s:-]+$/.test(lines[index + 1] ?? "x")
    )
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```[^]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "code");
}
