import type { TomlTable } from "smol-toml";
import {
  type HostsPart,
  hostsParts,
  isEmptyPart,
  mergeTables,
  partFingerprint,
  partOf,
} from "./hosts_parts.ts";
import { type Entries, leadingComments } from "./hosts_document.ts";

/**
 * Fingerprints of the user's parts that a file written by Eddy contained outside of its block. A
 * part that was not shown there cannot have been deleted there by the user.
 */
export type ShownParts = Readonly<Record<string, string>>;

/** The parts outside of Eddy's block in a file written by Eddy. */
export function shownParts(remainder: Uint8Array | null): ShownParts {
  const parts = remainder === null ? [] : hostsParts(remainder) ?? [];
  return Object.fromEntries(parts.map((part) => [part.key, partFingerprint(part)]));
}

/** The parts shown in both versions, for while either may be on disk. */
export function shownInBoth(one: ShownParts, other: ShownParts): ShownParts {
  return Object.fromEntries(Object.entries(one).filter(([key, value]) => other[key] === value));
}

/**
 * Merges a user's edits of a file written by Eddy into the user's original: added and changed parts
 * are taken, parts that were shown and are gone are removed, everything else stays, with its
 * comments.
 *
 * @param edited without Eddy's block.
 * @returns undefined if either is an invalid hosts.toml.
 */
export function mergeHosts(
  original: Uint8Array,
  edited: Uint8Array,
  shown: ShownParts,
): string | undefined {
  const [before, after] = [hostsParts(original), hostsParts(edited)];
  if (before === undefined || after === undefined) return undefined;
  const taken: HostsPart[] = [];
  for (const part of after) {
    const had = before.find(({ key }) => key === part.key);
    const merged = had === undefined ? added(part, shown) : changed(had, part, shown);
    if (merged !== undefined) taken.push(merged);
  }
  let previous = "";
  for (const part of before) {
    if (!taken.some(({ key }) => key === part.key)) {
      if (after.some(({ key }) => key === part.key) || isDeleted(part, shown)) continue;
      const index = taken.findIndex(({ key }) => key === previous);
      taken.splice(index + 1, 0, part);
    }
    previous = part.key;
  }
  return joined(taken, [before, after]);
}

/** An unchanged part that was shown and is missing in the original was deleted there. */
function added(part: HostsPart, shown: ShownParts): HostsPart | undefined {
  return shown[part.key] === partFingerprint(part) ? undefined : part;
}

function isDeleted(part: HostsPart, shown: ShownParts): boolean {
  return shown[part.key] !== undefined && shown[part.key] === fingerprintShown(part);
}

/** The fingerprint of a part as Eddy writes it: only leading comments are kept. */
function fingerprintShown(part: HostsPart): string {
  return partFingerprint({ entries: part.entries, comments: commentsShown(part) });
}

function commentsShown({ key, text }: HostsPart): readonly string[] {
  const comments = key === "" ? leadingComments(text) : "";
  return comments === "" ? [] : comments.split("\n").map((line) => line.trimEnd());
}

function changed(had: HostsPart, now: HostsPart, shown: ShownParts): HostsPart {
  const before = shown[had.key];
  if (before === partFingerprint(now)) return had;
  const wasShown = before !== undefined && before === fingerprintShown(had);
  const visible = new Set(wasShown ? commentsShown(had) : []);
  const unseen = had.comments.filter((each) => !now.comments.includes(each) && !visible.has(each));
  if (wasShown) {
    return unseen.length === 0 ? now : { ...now, ...withComments(now, unseen) };
  }
  const entries = mergeEntries(had.entries, now.entries);
  const merged = { entries, comments: [...unseen, ...now.comments] };
  for (const part of [had, now]) {
    if (partFingerprint(part) === partFingerprint({ ...merged, comments: part.comments })) {
      const lacking = merged.comments.filter((each) => !part.comments.includes(each));
      return lacking.length === 0 ? part : { ...part, ...withComments(part, lacking) };
    }
  }
  return partOf(had.key, entries, merged.comments);
}

/** Of two spellings of one host the second takes precedence. */
function mergeEntries(had: Entries, now: Entries): Entries {
  const [before, after] = [had, now].map((entries) => Object.fromEntries(entries) as TomlTable);
  const [url, ...more] = Object.keys(after?.["host"] ?? {});
  const [table, ...others] = Object.values(before?.["host"] ?? {});
  const single = url !== undefined && table !== undefined && more.length + others.length === 0;
  return Object.entries(
    mergeTables(single ? { host: { [url]: table } } : before ?? {}, after ?? {}),
  );
}

/** Compares two files by content and comments. */
export function haveSameContent(one: Uint8Array, other: Uint8Array): boolean {
  const [a, b] = [one, other].map((bytes) =>
    JSON.stringify(Object.entries(shownParts(bytes)).sort())
  );
  return a === b;
}

/** The source text of the original's parts that were not shown in what Eddy wrote. */
export function unseenText(original: Uint8Array, shown: ShownParts): string {
  const parts = hostsParts(original);
  if (parts === undefined) return new TextDecoder().decode(original);
  return parts.filter((part) => !isEmptyPart(part) && shown[part.key] !== partFingerprint(part))
    .map(({ text }) => text).join("");
}

function withComments(
  { text, comments }: HostsPart,
  more: readonly string[],
): Pick<HostsPart, "text" | "comments"> {
  return {
    text: more.map((each) => `${each}\n`).join("") + text,
    comments: [...more, ...comments],
  };
}

/**
 * Joins parts; those that were adjacent in a source stay so, others are separated by a blank line.
 */
function joined(parts: readonly HostsPart[], sources: readonly (readonly HostsPart[])[]): string {
  let text = "";
  let last: HostsPart | undefined;
  for (const part of parts.filter((each) => each.text !== "")) {
    const follows = sources.some((source) => {
      const at = source.indexOf(part);
      return at > 0 && source.slice(0, at).findLast((each) => each.text !== "") === last;
    });
    if (text !== "" && !follows) text = `${text.trimEnd()}\n\n`;
    text += part.text;
    last = part;
  }
  return parts.every(isEmptyPart) ? "" : text;
}
