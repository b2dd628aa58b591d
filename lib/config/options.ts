import { ACCESS_OPTIONS } from "./access_options.ts";
import { AGENT_OPTIONS } from "./agent_options.ts";
import { BOOTSTRAP_OPTIONS } from "./bootstrap_options.ts";
import { CLEANUP_OPTIONS } from "./cleanup_options.ts";
import { CLUSTER_OPTIONS } from "./cluster_options.ts";
import { COMMAND_OPTIONS } from "./command_options.ts";
import { HOSTS_OPTIONS, STORE_OPTIONS } from "./containerd_options.ts";
import { LAYER_OPTIONS } from "./layer_options.ts";
import { KUBERNETES_OPTIONS } from "./kubernetes_options.ts";
import type { Option } from "./option.ts";
import { ROUTING_OPTIONS } from "./routing_options.ts";
import { TAG_OPTIONS } from "./tag_options.ts";
import { TRANSFER_OPTIONS } from "./transfer_options.ts";

/**
 * All options. The key in kebab case is the flag and the key in the YAML file, in upper case with
 * underscores the environment variable; Spegel's names where it has the option.
 */
export const OPTIONS = {
  ...AGENT_OPTIONS,
  ...STORE_OPTIONS,
  ...LAYER_OPTIONS,
  ...HOSTS_OPTIONS,
  ...TAG_OPTIONS,
  ...ACCESS_OPTIONS,
  ...CLUSTER_OPTIONS,
  ...BOOTSTRAP_OPTIONS,
  ...ROUTING_OPTIONS,
  ...TRANSFER_OPTIONS,
  ...KUBERNETES_OPTIONS,
  ...CLEANUP_OPTIONS,
  ...COMMAND_OPTIONS,
};

/** All options with their values. */
export type Config = {
  readonly [Key in keyof typeof OPTIONS]: (typeof OPTIONS)[Key] extends Option<infer T> ? T : never;
};

/** The name of an option in {@link OPTIONS}. */
export type OptionKey = keyof typeof OPTIONS;

/** A row of the table, under the names that users write. */
export type OptionRow = Option & { readonly key: OptionKey; flag: string; env: string };

/** All rows, in the order of help and documentation. */
export const OPTION_ROWS: readonly OptionRow[] = (Object.keys(OPTIONS) as OptionKey[]).map(
  (key) => {
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return { ...OPTIONS[key], key, flag, env: flag.toUpperCase().replaceAll("-", "_") };
  },
);
