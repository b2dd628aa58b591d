import type { Log, LogFields } from "../ports/log.ts";

/** Levels, in ascending order. */
const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

export type LogLevel = typeof LOG_LEVELS[number];

export interface LogOptions {
  /** Lines below this level are dropped. */
  level: LogLevel;
  /** Writes one line with its newline; default: standard error. */
  write?: (line: string) => void;
  /** Source of timestamps; default: the system's. */
  now?: () => Date;
}

/** Deeper values are truncated. */
const MAX_DEPTH = 6;
/** Longer strings are truncated, so that a request cannot flood the log. */
const MAX_STRING_LENGTH = 2048;
/** Longer lists and objects are truncated. */
const MAX_ENTRIES = 64;
/** Names of fields and options with secret values. */
export const SECRET = /password|passwd|secret|token|authorization|cookie|credential|private.?key/i;
/** User and password in a URL. */
const USER_INFO = /\b([a-z][a-z0-9+.-]*:\/\/)[^/?#@\s]*@/gi;

/** Masks users and passwords in URLs. */
export function maskUserInfo(text: string): string {
  // Most text has none, and the regular expression is slow.
  if (!text.includes("@")) return text;
  return text.replace(USER_INFO, "$1[masked]@");
}

/**
 * Makes a log that writes one JSON object per line: `ts` (RFC 3339, UTC), `level`, `msg`, then the
 * fields. Errors are written as their message, at level `debug` with their stack. Values of fields
 * with secret names, and user names and passwords in URLs, are masked. Never throws, whatever the
 * fields hold.
 */
export function createLog(options: LogOptions): Log {
  const { level, write = writeToStderr, now = () => new Date() } = options;
  const least = LOG_LEVELS.indexOf(level);

  const make = (bound: LogFields): Log => {
    const log = (lineLevel: LogLevel) => (message: string, fields: LogFields = {}) => {
      if (LOG_LEVELS.indexOf(lineLevel) < least) return;
      write(`${line(lineLevel, message, [bound, fields], level, now)}\n`);
    };
    return {
      debug: log("debug"),
      info: log("info"),
      warn: log("warn"),
      error: log("error"),
      child: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}

function line(
  level: LogLevel,
  message: string,
  layers: readonly LogFields[],
  threshold: LogLevel,
  now: () => Date,
): string {
  const head: Record<string, unknown> = { ts: now().toISOString(), level, msg: cut(message) };
  const walk: Walk = { stacks: threshold === "debug", depth: 1, above: layers };
  try {
    const all = { ...head };
    let left = MAX_ENTRIES;
    for (const layer of layers) {
      // Getters may throw.
      for (const [key, value] of Object.entries(layer)) {
        // The head takes precedence over fields of the same name.
        if (Object.hasOwn(head, key) || left-- <= 0) continue;
        all[key] = isSecret(key, value) ? "[masked]" : toPlain(value, walk);
      }
    }
    return JSON.stringify(all);
  } catch (error) {
    return JSON.stringify({ ...head, logError: String(error) });
  }
}

/** Cache: the same few field names come with each line. */
const names = new Map<string, boolean>();
const MAX_NAMES = 1000;

/** A boolean is not secret: it tells whether there is a secret. */
function isSecret(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return false;
  let secret = names.get(name);
  if (secret === undefined) {
    secret = SECRET.test(name);
    if (names.size < MAX_NAMES) names.set(name, secret);
  }
  return secret;
}

interface Walk {
  /** Whether errors are written with their stack. */
  readonly stacks: boolean;
  readonly depth: number;
  /** Ancestors, to find cycles. */
  readonly above: readonly object[];
}

/** Converts a value for JSON, with limits applied and secrets masked. */
function toPlain(value: unknown, walk: Walk): unknown {
  switch (typeof value) {
    case "string":
      return cut(value);
    case "bigint":
    case "symbol":
      return value.toString();
    case "function":
      return "[function]";
    case "object":
      return value === null ? null : objectToPlain(value, walk);
    default:
      return Number.isNaN(value) || value === Infinity || value === -Infinity
        ? String(value)
        : value;
  }
}

function objectToPlain(value: object, walk: Walk): unknown {
  if (walk.above.includes(value)) return "[circular]";
  if (value instanceof Error) return errorToPlain(value, walk);
  if (value instanceof Date) return String(Number.isNaN(+value) ? value : value.toISOString());
  if (value instanceof URL) return cut(value.href);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (walk.depth >= MAX_DEPTH) return "[deep]";
  const below = { ...walk, depth: walk.depth + 1, above: [...walk.above, value] };
  if (Array.isArray(value) || value instanceof Set) {
    return [...value].slice(0, MAX_ENTRIES).map((item) => toPlain(item, below));
  }
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    entries.slice(0, MAX_ENTRIES).map(([key, item]) => [
      String(key),
      isSecret(String(key), item) ? "[masked]" : toPlain(item, below),
    ]),
  );
}

function errorToPlain(error: Error, walk: Walk): unknown {
  const message = error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
  const causes = error.cause === undefined || walk.depth >= MAX_DEPTH
    ? ""
    : ` (${causeText(error.cause, walk)})`;
  if (!walk.stacks) return cut(message + causes);
  return { message: cut(message + causes), stack: cut(String(error.stack)) };
}

function causeText(cause: unknown, walk: Walk): string {
  const below = { ...walk, stacks: false, depth: walk.depth + 1 };
  const plain = cause instanceof Error ? errorToPlain(cause, below) : toPlain(cause, below);
  return typeof plain === "string" ? plain : JSON.stringify(plain);
}

function cut(text: string): string {
  const short = text.length > MAX_STRING_LENGTH ? `${text.slice(0, MAX_STRING_LENGTH)}…` : text;
  return maskUserInfo(short);
}

function writeToStderr(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch {
    // A closed pipe must not stop the agent.
  }
}
