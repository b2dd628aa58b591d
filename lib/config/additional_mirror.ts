import * as z from "zod";
import { parseYaml } from "./parse_yaml.ts";
import { boolean, httpUrl, type OptionType, path } from "./types.ts";

/** A mirror that is tried after Eddy, and what hosts.toml needs for it. */
export interface AdditionalMirror {
  readonly url: string;
  /** Files with CA certificates. */
  readonly ca: readonly string[];
  readonly skipVerify: boolean;
  /** Values of each header that is sent to it; may be secret. */
  readonly header: Readonly<Record<string, readonly string[]>>;
}

const WANT = "a URL such as http://10.0.0.1:5000, or a map such as " +
  "{url: https://harbor.example/v2/hub, ca: /etc/harbor.crt}";

/** One value or a list of them. */
function some<T>(item: OptionType<T>): OptionType<readonly T[]> {
  return z.preprocess((value) => Array.isArray(value) ? value : [value], z.array(item));
}

const SETTINGS = z.strictObject({
  url: httpUrl(),
  ca: some(path()).default([]),
  skip_verify: boolean().default(false),
  header: z.record(z.string(), some(z.string())).default({}),
}).transform(({ skip_verify: skipVerify, ...mirror }): AdditionalMirror => ({
  ...mirror,
  skipVerify,
}));

/** A mirror's URL, or a map in YAML with the names that hosts.toml has for its settings. */
export function additionalMirror(): OptionType<string | AdditionalMirror> {
  return z.unknown().transform((input, ctx): string | AdditionalMirror => {
    const isMap = typeof input === "string" && input.trim().startsWith("{");
    const result = typeof input === "object" || isMap
      ? SETTINGS.safeParse(isMap ? mapOf(input) : input)
      : httpUrl().safeParse(input);
    if (result.success) return result.data;
    const item = typeof input === "object" || isMap ? "a map" : input;
    ctx.issues.push({ code: "custom", input, message: WANT, params: { item } });
    return z.NEVER;
  });
}

function mapOf(text: string): unknown {
  try {
    return parseYaml(text);
  } catch {
    return undefined;
  }
}

/** Shows a mirror without what may be secret. */
export function describeMirror({ url, ca, skipVerify, header }: AdditionalMirror): string {
  const names = Object.keys(header);
  const settings = [
    ...(ca.length > 0 ? [`ca: ${ca.join(" ")}`] : []),
    ...(skipVerify ? ["skip_verify"] : []),
    ...(names.length > 0 ? [`header: ${names.join(" ")}`] : []),
  ];
  return [url, ...settings].join(", ");
}
