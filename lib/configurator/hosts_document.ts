import { parse, stringify, type TomlTable, type TomlValue } from "smol-toml";
import { messageOf } from "../async/thrown.ts";

/** First line of Eddy's block. */
const BLOCK_BEGIN =
  "# >>> eddy: this block is rewritten by Eddy, put your own settings outside of it";
/** Last line of Eddy's block. */
const BLOCK_END = "# <<< eddy";
const BLOCK = /^# >>> eddy[^\n]*\n(?:[^\n]*\n)*?# <<< eddy[^\n]*(?:\n|$)/gm;

/** Keys and values in order. */
export type Entries = readonly (readonly [key: string, value: TomlValue])[];

/** A hosts.toml, split so that it can be rendered again without changing its meaning. */
export interface HostsDocument {
  /** Leading comments; generators such as k3s recognise their files by them. */
  readonly comments: string;
  /** Top-level keys that are not tables: `server` and its settings. */
  readonly top: Entries;
  /** Top-level tables other than `host`. */
  readonly tables: Entries;
  /** Hosts in the order in which containerd tries them. */
  readonly hosts: Entries;
}

/** What Eddy adds to a file. */
export interface OwnPart {
  readonly top: Entries;
  readonly tables: Entries;
  readonly hosts: Entries;
}

export const EMPTY_DOCUMENT: HostsDocument = { comments: "", top: [], tables: [], hosts: [] };

/**
 * Parses a hosts.toml.
 *
 * @throws {Error} with a one-line message if it is invalid.
 */
export function parseHostsDocument(bytes: Uint8Array): HostsDocument {
  const text = decode(bytes);
  const root = parseToml(text);
  const { host = {}, ...rest } = root;
  if (!isTable(host)) throw new Error("`host` is not a table");
  const hosts = inFileOrder(Object.entries(host), text);
  const odd = hosts.find(([, value]) => !isTable(value));
  if (odd !== undefined) throw new Error(`host ${JSON.stringify(odd[0])} is not a table`);
  return {
    comments: leadingComments(text),
    top: Object.entries(rest).filter(([, value]) => !isTable(value)),
    tables: Object.entries(rest).filter(([, value]) => isTable(value)),
    hosts,
  };
}

/** An object has names that are numbers first; their order is that of the file's tables. */
function inFileOrder(hosts: Entries, text: string): Entries {
  if (!hosts.some(([name]) => /^\d+$/.test(name))) return hosts;
  const tables = text.matchAll(
    /^[ \t]*\[[ \t]*host[ \t]*\.[ \t]*(?:"([^"]*)"|'([^']*)'|([\w-]+))/gm,
  );
  const order = [...tables].map(([, double, single, bare]) => double ?? single ?? bare);
  return hosts.toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b));
}

/**
 * Renders a hosts.toml: the user's comments and top-level keys, Eddy's block, the user's tables and
 * hosts. Eddy's hosts come first since containerd tries hosts in file order. Each host is rendered
 * separately, so that the order never depends on an object's key order.
 */
export function renderHostsDocument(user: HostsDocument, own?: OwnPart): string {
  const block = own === undefined ? "" : join("\n", [
    BLOCK_BEGIN,
    join("\n\n", [toml(own.top), ...own.tables.map((t) => toml([t])), ...own.hosts.map(hostToml)]),
    BLOCK_END,
  ]);
  return join("\n\n", [
    join("\n", [user.comments, toml(user.top)]),
    block,
    ...user.tables.map((entry) => toml([entry])),
    ...user.hosts.map(hostToml),
  ]) + "\n";
}

/**
 * Removes Eddy's block from a file that someone edited later.
 *
 * @returns the rest; null if nothing is left; undefined if there is no complete block.
 */
export function withoutOwnBlock(
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | null | undefined {
  let text: string;
  try {
    text = decode(bytes);
  } catch {
    return undefined;
  }
  const rest = text.replace(BLOCK, "");
  if (rest === text) return undefined;
  const kept = rest.replace(/^\n+/, "").replace(/\n{3,}/g, "\n\n");
  return kept.trim() === "" ? null : new TextEncoder().encode(kept);
}

/** Normalises a host's URL: spellings that containerd treats alike become equal. */
export function hostKey(url: string): string {
  try {
    const parsed = new URL(url.startsWith("http") ? url : `https://${url}`);
    const path = parsed.pathname.replace(/\/+$/, "").replace(/\/v2$/, "");
    return `${parsed.protocol}//${parsed.host}${path}`;
  } catch {
    return url;
  }
}

function join(separator: string, parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(separator);
}

/** Leading comments, without the remains of a damaged block of Eddy's. */
export function leadingComments(text: string): string {
  const lines = /^(?:#[^\n]*(?:\n|$))*/.exec(text)?.[0].split("\n") ?? [];
  return lines.filter((line) => !/^# (?:>>>|<<<) eddy/.test(line)).join("\n").trimEnd();
}

function hostToml([url, table]: readonly [string, TomlValue]): string {
  return toml([["host", Object.fromEntries([[url, table]])]]);
}

/** Integers and floats keep their type. */
export function toml(entries: Entries): string {
  if (entries.length === 0) return "";
  return stringify(Object.fromEntries(entries), { numbersAsFloat: true }).trimEnd();
}

/**
 * Parses TOML.
 *
 * @throws {Error} with a one-line message if it is invalid.
 */
export function parseToml(text: string): TomlTable {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    const message = messageOf(error);
    throw new Error(message.split("\n")[0] ?? message, { cause: error });
  }
}

/** @throws {TypeError} if it is not UTF-8. */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

/** Tells a table from other values, dates included. */
export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) &&
    Object.prototype.toString.call(value) === "[object Object]";
}
