import { createTwoFilesPatch } from "diff";
import type { FileVersion } from "./file_system.ts";
import type { ConfigurationPlan } from "./plan.ts";

/**
 * The changes of a plan as a unified diff, empty if there are none. Eddy's own secrets are not in it;
 * what the user's files hold is shown as it is.
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
    patches.join(""),
  );
}

function textOf(version: FileVersion | undefined): string {
  if (version === undefined) return "";
  if (version.kind === "link") return `(link to ${version.target})\n`;
  return new TextDecoder().decode(version.bytes);
}
