import { createTwoFilesPatch } from "diff";
import type { FileVersion } from "./file_system.ts";
import type { ConfigurationPlan } from "./plan.ts";

/** An Authorization header in TOML, in any form of its value. */
const AUTHORIZATION = /(authorization["']?\s*=\s*)(?:\[[^\]]*\]|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')/gi;

/**
 * The changes of a plan as a unified diff; empty if there are none. Values of `Authorization`
 * headers, Eddy's and the user's, are redacted.
 */
export function diffConfiguration(plan: ConfigurationPlan): string {
  const patches = plan.changes.map(({ path, before, after }) =>
    createTwoFilesPatch(
      before === undefined ? "/dev/null" : path,
      after === undefined ? "/dev/null" : path,
      textOf(before),
      textOf(after),
      undefined,
      undefined,
      { headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true } },
    )
  );
  return plan.secrets.reduce(
    (text, secret) => text.replaceAll(JSON.stringify(secret), '"(secret)"'),
    patches.join("").replace(AUTHORIZATION, '$1"(secret)"'),
  );
}

function textOf(version: FileVersion | undefined): string {
  if (version === undefined) return "";
  if (version.kind === "link") return `(link to ${version.target})\n`;
  return new TextDecoder().decode(version.bytes);
}
