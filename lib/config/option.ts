import type { OptionType } from "./types.ts";

/** The commands that take options. */
export type CommandName = (typeof ALL)[number];

/** One row of the table from which flags, environment variables, file keys and docs are made. */
export interface Option<T = unknown> {
  /** What a value must be. */
  readonly type: OptionType<T>;
  /** Taken when nothing is set, in the form that a user would write; undefined: left unset. */
  readonly default: string | undefined;
  /** Shown in place of the default when that is found out at run time. */
  readonly defaultText?: string;
  /** Stands for the value in the help, e.g. `HOST:PORT`; empty for switches. */
  readonly placeholder: string;
  /** One sentence, or two. */
  readonly help: string;
  /** The commands that take the flag. */
  readonly commands: readonly CommandName[];
  /** True if the flag may be repeated and takes all values up to the next flag. */
  readonly list?: boolean;
}

/** The agent, and the doctor who looks at it. */
export const AGENT = ["agent", "doctor"] as const;
/** What writes the mirror configuration. */
export const MIRROR = ["agent", "configure", "doctor"] as const;
/** What works on the mirror configuration. */
export const CONFIGURATION = ["agent", "configure", "cleanup", "doctor"] as const;
/** What finds the mirror configuration. */
export const PLACES = [...CONFIGURATION, "uninstall"] as const;
/** What finds containerd. */
export const RUNTIME = ["agent", "cleanup", "doctor", "uninstall"] as const;
/** What can be tried without changing anything. */
export const CHANGES = ["configure", "cleanup", "install", "uninstall"] as const;
/** Every command that takes options. */
export const ALL = [
  ...[
    "agent",
    "configure",
    "cleanup",
    "cleanup-wait",
    "doctor",
    "install",
    "uninstall",
    "keygen",
    "version",
  ] as const,
] as const;
/** One day: no duration of Eddy's is meant to be longer. */
export const DAY_MS = 86_400_000;

/** A row whose option always has a value. */
export function option<T>(row: Option<T> & { default: string }): Option<T> {
  return row;
}

/** A row whose option may be left unset. */
export function unset<T>(row: Omit<Option<T>, "default">): Option<T | undefined> {
  return { ...row, type: row.type.optional(), default: undefined };
}
