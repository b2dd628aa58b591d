import { type AdditionalMirror, describeMirror } from "./additional_mirror.ts";
import type { CommandName } from "./option.ts";
import { type Config, OPTION_ROWS, type OptionKey } from "./options.ts";

/** An option and its value as a user would write it. */
export interface DescribedOption {
  readonly key: OptionKey;
  readonly flag: string;
  /** Empty if it is not set. */
  readonly value: string;
  /** It is what it would be if nobody had set it. */
  readonly isDefault: boolean;
  readonly help: string;
}

/** The options of a command with their values in a form to read. Secrets are not masked. */
export function describeConfig(config: Config, command: CommandName): DescribedOption[] {
  return OPTION_ROWS.filter(({ commands }) => commands.includes(command)).map(
    ({ key, flag, help, type, placeholder, default: preset }) => {
      const value = formatValue(config[key], placeholder);
      const usual = type.safeParse(preset);
      const isDefault = value === (usual.success ? formatValue(usual.data, placeholder) : "");
      return { key, flag, value, isDefault, help: help.replaceAll("`", "") };
    },
  );
}

function formatValue(value: unknown, placeholder: string): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map((item) => formatValue(item, placeholder)).join(" ");
  if (typeof value === "number" && placeholder === "DURATION") return formatDuration(value);
  if (typeof value === "object" && "host" in value && "port" in value) {
    const host = String(value.host);
    return `${host.includes(":") ? `[${host}]` : host}:${value.port}`;
  }
  if (isMirror(value)) return describeMirror(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function isMirror(value: unknown): value is AdditionalMirror {
  return typeof value === "object" && value !== null && "url" in value && "header" in value;
}

/** As flags take it, e.g. `20ms`, `1m30s`. */
function formatDuration(ms: number): string {
  const units = [["h", 3_600_000], ["m", 60_000], ["s", 1000], ["ms", 1]] as const;
  let rest = ms;
  let text = "";
  for (const [unit, size] of units) {
    const amount = unit === "ms" ? rest : Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text || "0ms";
}
