import * as z from "zod";
import { isWildcardRegistry } from "../oci/filter.ts";
import { isRegistry } from "../oci/reference.ts";

/**
 * The types that options can have. Each takes what a flag, an environment variable (text) or a YAML
 * file (text, number, boolean, list) holds, and its error message says what is wanted.
 */

/** A type of option: parses untrusted input, its error messages complete "want …". */
export type OptionType<T> = z.ZodType<T, unknown>;

/** An address to listen on. */
export interface ListenAddress {
  /** IP address without brackets; empty: all interfaces, IPv4 and IPv6. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

const Scalar = z.union([z.string(), z.number(), z.boolean()]);

function scalar<T>(want: string, parse: (text: string) => T | undefined): OptionType<T> {
  return z.unknown().transform((input, ctx): T => {
    const text = Scalar.safeParse(input);
    const value = text.success ? parse(String(text.data).trim()) : undefined;
    if (value !== undefined) return value;
    ctx.issues.push({ code: "custom", input, message: want });
    return z.NEVER;
  });
}

/** Any text, `want` says what it stands for; never empty. */
export function text(want: string): OptionType<string> {
  return scalar(want, (value) => value === "" ? undefined : value);
}

/** A directory or file, absolute or relative to the working directory; empty text is allowed. */
export function path(): OptionType<string> {
  return scalar("a path", (value) => value.includes("\0") ? undefined : value);
}

/** `true` or `false`. */
export function boolean(): OptionType<boolean> {
  const values: Record<string, boolean> = { true: true, "1": true, false: false, "0": false };
  return scalar("true or false", (value) => values[value.toLowerCase()]);
}

/** A whole number in [min, max]. */
export function integer(min: number, max: number): OptionType<number> {
  return scalar(`a whole number from ${min} to ${max}`, (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration such as `20ms`, `2s`, `1m30s`; in milliseconds. */
export function duration(minMs: number, maxMs: number): OptionType<number> {
  const want = `a duration such as 20ms, 2s or 1m30s, from ${minMs}ms to ${maxMs}ms`;
  return scalar(want, (value) => {
    if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(value)) return undefined;
    let total = 0;
    for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
      total += Number(amount) * (UNIT_MS[unit ?? ""] ?? NaN);
    }
    return total >= minMs && total <= maxMs ? total : undefined;
  });
}

const UNIT_BITS: Record<string, number> = { bps: 1, kbps: 1e3, mbps: 1e6, gbps: 1e9 };
const MIN_BITS = 64_000;

/** A rate in bits, such as `500Mbps`; in bytes per second. */
export function rate(): OptionType<number> {
  return scalar("a rate such as 500Mbps or 1Gbps, at least 64kbps", (value) => {
    const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmg]?bps)$/i.exec(value) ?? [];
    const bits = Number(amount) * (UNIT_BITS[unit.toLowerCase()] ?? NaN);
    return bits >= MIN_BITS && bits < 1e15 ? bits / 8 : undefined;
  });
}

const UNIT_BYTES: Record<string, number> = {
  "": 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tb: 1e12,
  tib: 2 ** 40,
};

/** An amount of memory, or of what `want` says and up to `max`, such as `32MiB`; in bytes. */
export function byteSize(
  want = "a size such as 32MiB, 64MB or 0, at most 64GiB",
  max = 64 * 2 ** 30,
): OptionType<number> {
  return scalar(want, (value) => {
    const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmgt]i?b)?$/i.exec(value) ?? [];
    const bytes = Math.round(Number(amount) * (UNIT_BYTES[unit.toLowerCase()] ?? NaN));
    return bytes >= 0 && bytes <= max ? bytes : undefined;
  });
}

/** One of a few words, in any case. */
export function oneOf<const T extends string>(...words: readonly T[]): OptionType<T> {
  return scalar(
    `one of ${words.join(", ")}`,
    (value) => words.find((word) => word.toLowerCase() === value.toLowerCase()),
  );
}

/** `:5000`, `127.0.0.1:5000` or `[::1]:5000`. */
export function listenAddress(): OptionType<ListenAddress> {
  const want = "[HOST]:PORT, such as :5000, 127.0.0.1:5000 or [::1]:5000";
  return scalar(want, (value) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+|localhost)?):(\d{1,5})$/.exec(value);
    if (match === null) return undefined;
    const [, v6, v4, port] = match;
    const host = v6 ?? (v4 === "localhost" ? "127.0.0.1" : v4 ?? "");
    if (v6 === undefined && host !== "" && !z.ipv4().safeParse(host).success) return undefined;
    if (v6 !== undefined && !z.ipv6().safeParse(v6).success) return undefined;
    return Number(port) <= 65535 ? { host, port: Number(port) } : undefined;
  });
}

/**
 * A URL of HTTP or HTTPS; `http://` is put before a bare host. Without a trailing slash. An IPv6
 * address before a port may lack its brackets: Kubernetes gives addresses without.
 */
export function httpUrl(): OptionType<string> {
  return scalar("a URL such as http://10.0.0.1:5000", (value) => {
    const bare = /^(https?:\/\/)?([0-9a-fA-F:]+):(\d{1,5})\/?$/.exec(value);
    const [, scheme = "http://", ip, port] = bare ?? [];
    const text = z.ipv6().safeParse(ip).success ? `${scheme}[${ip}]:${port}` : value;
    const url = URL.parse(text.includes("://") ? text : `http://${text}`);
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") return undefined;
    return url.href.replace(/\/$/, "");
  });
}

/** A registry's host and optional port, or its URL; without a trailing slash. */
export function registryName(): OptionType<string> {
  const want = "a registry such as docker.io, registry.example:5000 or http://registry.example, " +
    "or _default";
  return scalar(want, (value) => {
    const name = value.replace(/\/$/, "");
    return isWildcardRegistry(name) || isRegistry(registryHost(name)) ? name : undefined;
  });
}

/** The host and port of a registry that is named by them or by its URL. */
export function registryHost(name: string): string {
  return name.replace(/^https?:\/\//, "");
}

/**
 * A regular expression in Go's syntax (RE2), as Spegel takes it. It is only compiled where it is
 * used: the library for that is loaded for nodes that have such a filter.
 */
export function goExpression(): OptionType<string> {
  return scalar("a regular expression", (value) => value);
}

/** A list, given as a list or as text separated by commas or blanks. */
export function list<T>(item: OptionType<T>): OptionType<readonly T[]> {
  return z.unknown().transform((input, ctx): readonly T[] => {
    const parts = (Array.isArray(input) ? input : [input])
      .flatMap((part) => typeof part === "string" ? splitList(part) : [part]);
    const values: T[] = [];
    for (const part of parts) {
      const result = item.safeParse(part);
      if (result.success) values.push(result.data);
      else {
        const [issue] = result.error.issues;
        const item = (issue?.code === "custom" ? issue.params?.["item"] : undefined) ?? part;
        const message = issue?.message ?? "something else";
        ctx.issues.push({ code: "custom", input: part, message, params: { item } });
        return z.NEVER;
      }
    }
    return values;
  });
}

/**
 * Splits at commas and blanks outside of brackets, so that `a{1,3}` stays one expression. In maps,
 * brackets within double quotes do not count.
 */
function splitList(input: string): string[] {
  const parts = [""];
  let depth = 0;
  let isQuoted = false;
  let isEscaped = false;
  for (const char of input) {
    const isMap = parts.at(-1)?.startsWith("{") ?? false;
    if (isMap && char === '"' && !isEscaped) isQuoted = !isQuoted;
    isEscaped = char === "\\" && !isEscaped;
    if (!isQuoted && "([{".includes(char)) depth++;
    if (!isQuoted && ")]}".includes(char)) depth = Math.max(0, depth - 1);
    if (depth === 0 && /[\s,]/.test(char)) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.filter((part) => part !== "");
}

/** `auto`, `share`, or a pattern of repositories such as `ghcr.io/acme/*`. */
export function privateImages(): OptionType<string> {
  const want = "auto, share, or a pattern such as ghcr.io/acme/*";
  return scalar(want, (value) => {
    if (value === "auto" || value === "share") return value;
    return REPOSITORY_PATTERN.test(value) ? value : undefined;
  });
}

/** A pattern of repositories such as `registry.internal/*`, or `*` for all. */
export function repositoryPattern(): OptionType<string> {
  const want = "a pattern such as registry.internal/*, or * for all";
  return scalar(
    want,
    (value) => value === "*" || REPOSITORY_PATTERN.test(value) ? value : undefined,
  );
}

const REPOSITORY_PATTERN = /^[a-zA-Z0-9*][a-zA-Z0-9.:*_-]*\/[a-z0-9._*/-]+$/;
