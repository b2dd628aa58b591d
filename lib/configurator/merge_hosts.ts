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
 * Which parts of the user's file stood in what Eddy wrote, outside of its block, with their
 * fingerprints. What is not among them the user could not see there, so cannot have deleted there.
 */
export type ShownParts = Readonly<Record<string, string>>;

/** What stands outside of Eddy's block in a file that Eddy writes. */
export function shownParts(remainder: Uint8Array | null): ShownParts {
  const parts = remainder === null ? [] : hostsParts(remainder) ?? [];
  return Object.fromEntries(parts.map((part) => [part.key, partFingerprint(part)]));
}

/** What was shown both before and after, for a time at which either may stand there. */
export function shownInBoth(one: ShownParts, other: ShownParts): ShownParts {
  return Object.fromEntries(Object.entries(one).filter(([key, value]) => other[key] === value));
}

/**
 * Merges what the user did to a file that Eddy wrote into what the user had: parts that were added
 * or changed are taken, parts that were shown and are gone go, all else stays, with its comments.
 *
 * @param edited without Eddy's block.
 * @returns undefined if one of the two is no hosts.toml.
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

/** A part that was shown, is as it was, and is no more in the original was deleted there. */
function added(part: HostsPart, shown: ShownParts): HostsPart | undefined {
  return shown[part.key] === partFingerprint(part) ? undefined : part;
}

function isDeleted(part: HostsPart, shown: ShownParts): boolean {
  return shown[part.key] !== undefined && shown[part.key] === fingerprintShown(part);
}

/** Of a part as Eddy writes it: of its comments only those that the file begins with. */
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

/** Of two spellings of one host the second counts. */
function mergeEntries(had: Entries, now: Entries): Entries {
  const [before, after] = [had, now].map((entries) => Object.fromEntries(entries) as TomlTable);
  const [url, ...more] = Object.keys(after?.["host"] ?? {});
  const [table, ...others] = Object.values(before?.["host"] ?? {});
  const single = url !== undefined && table !== undefined && more.length + others.length === 0;
  return Object.entries(
    mergeTables(single ? { host: { [url]: table } } : before ?? {}, after ?? {}),
  );
}

/** Tells whether two files say the same, comments included. */
export function sayTheSame(one: Uint8Array, other: Uint8Array): boolean {
  const [a, b] = [one, other].map((bytes) =>
    JSON.stringify(Object.entries(shownParts(bytes)).sort())
  );
  return a === b;
}

/** What of the original cannot be seen in what Eddy wrote, as it stands there. */
export function unseenText(original: Uint8Array, shown: ShownParts): string {
  const parts = hostsParts(original);
  if (parts === undefined) return new TextDecoder().decode(original);
  return parts.filter((part) => !isEmptyPart(part) && shown[part.key] !== partFingerprint(part))
    .map(({ text }) => text).join("");
}

/** Puts comments above a part. */
function withComments(
  { text, comments }: HostsPart,
  more: readonly string[],
): Pick<HostsPart, "text" | "comments"> {
  return {
    text: more.map((each) => `${each}\n`).join("") + text,
    comments: [...more, ...comments],
  };
}

/** Parts that stood one after the other stay as they were; others are set apart by a blank line. */
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
