import { createHash } from "node:crypto";
import type { TomlTable } from "smol-toml";
import {
  decode,
  type Entries,
  hostKey,
  isTable,
  parseHostsDocument,
  parseToml,
  toml,
} from "./hosts_document.ts";
import { type TomlLine, tomlLines } from "./toml_lines.ts";

/** A part of a hosts.toml that is kept, changed or removed as a whole. */
export interface HostsPart {
  /** Identifies the part across versions of a file; empty for everything before the first table. */
  readonly key: string;
  /** Source text, with the comment right above it. */
  readonly text: string;
  /** Parsed content, as top-level entries. */
  readonly entries: Entries;
  /** Comments, in order. */
  readonly comments: readonly string[];
}

/**
 * Splits a hosts.toml into everything before the first table, its hosts and its other tables; the
 * texts concatenated are the file. A file in one of TOML's rarer forms is rendered anew, with its
 * comments at the top.
 *
 * @returns undefined for an invalid hosts.toml.
 */
export function hostsParts(bytes: Uint8Array): HostsPart[] | undefined {
  try {
    const text = decode(bytes);
    const whole = rewritten(bytes, tomlLines(text));
    const parts = split(tomlLines(text));
    return parts !== undefined && sameMeaning(parts, whole) ? parts : whole;
  } catch {
    return undefined;
  }
}

/** Fingerprint of a part's content and comments. */
export function partFingerprint({ entries, comments }: Pick<HostsPart, "entries" | "comments">) {
  const text = JSON.stringify([toml(entries), comments]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

export function isEmptyPart({ entries, comments }: HostsPart): boolean {
  return entries.length === 0 && comments.length === 0;
}

/** Renders a part. */
export function partOf(
  key: string,
  entries: Entries,
  comments: readonly string[],
): HostsPart {
  const lines = [...comments, toml(entries)].filter((line) => line !== "");
  return { key, entries, comments, text: lines.map((line) => `${line}\n`).join("") };
}

function split(lines: readonly TomlLine[]): HostsPart[] | undefined {
  const keys: string[] = [];
  const groups = new Map<string, TomlLine[]>([["", []]]);
  let group: TomlLine[] = groups.get("") ?? [];
  // Leading comments belong to the file, not to the first table.
  let head = true;
  for (const line of lines) {
    if (line.kind === "header") {
      const key = keyOfHeader(line.text);
      if (key === undefined) return undefined;
      const above = head ? [] : takeCommentsAbove(group);
      group = groups.get(key) ?? [];
      if (!groups.has(key)) keys.push(key);
      groups.set(key, group);
      group.push(...above);
    }
    if (line.kind !== "comment") head = false;
    group.push(line);
  }
  return ["", ...keys].map((key) => {
    const own = groups.get(key) ?? [];
    const text = own.map((line) => line.text).join("");
    return { key, text, entries: entriesOf(text), comments: own.flatMap((line) => line.comments) };
  });
}

/** Comment lines right above a header, which are taken to belong to it. */
function takeCommentsAbove(group: TomlLine[]): TomlLine[] {
  let from = group.length;
  while (group[from - 1]?.kind === "comment") from--;
  return group.splice(from);
}

/** `host https://…` or `table NAME`; undefined for a header with more than one key. */
function keyOfHeader(line: string): string | undefined {
  const [name, inner] = onlyEntry(parseToml(line)) ?? [];
  if (name === undefined) return undefined;
  if (name !== "host") return `table ${name}`;
  const [url] = onlyEntry(inner) ?? [];
  return url === undefined ? undefined : `host ${hostKey(url)}`;
}

function onlyEntry(value: unknown): readonly [string, unknown] | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value)[0];
}

function entriesOf(text: string): Entries {
  return Object.entries(parseToml(text));
}

/** The parts by content alone, for a file that cannot be split by its lines. */
function rewritten(bytes: Uint8Array, lines: readonly TomlLine[]): HostsPart[] {
  const { top, tables, hosts } = parseHostsDocument(bytes);
  const part = (key: string, entry: Entries[number]) => partOf(key, [entry], []);
  const counted = new Map<string, number>();
  const unique = (key: string) => {
    const count = (counted.get(key) ?? 0) + 1;
    counted.set(key, count);
    return count === 1 ? key : `${key} ${count}`;
  };
  return [
    partOf("", top, lines.flatMap(({ comments }) => comments)),
    ...tables.map((entry) => part(`table ${entry[0]}`, entry)),
    ...hosts.map(([url, table]) =>
      part(unique(`host ${hostKey(url)}`), ["host", Object.fromEntries([[url, table]])])
    ),
  ];
}

function sameMeaning(parts: readonly HostsPart[], whole: readonly HostsPart[]): boolean {
  const said = (list: readonly HostsPart[]) =>
    list.map(({ key, entries }) => `${key}\n${toml(entries)}`).sort().join("\n\n");
  return said(parts) === said(whole);
}

/** Merges two tables, recursively; the second takes precedence. */
export function mergeTables(first: TomlTable, second: TomlTable): TomlTable {
  const merged = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const before = Object.hasOwn(merged, key) ? merged[key] : undefined;
    merged[key] = before !== undefined && isTable(before) && isTable(value)
      ? mergeTables(before, value)
      : value;
  }
  return merged;
}
