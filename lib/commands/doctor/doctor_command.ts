import { deadline } from "../../async/deadline.ts";
import type { Config } from "../../config/options.ts";
import type { Check } from "../../ports/check.ts";
import type { CommandIo } from "../io.ts";
import { examineNode } from "./examine.ts";

/** Timeout of all checks together, ms. */
const LIMIT_MS = 120_000;
const SIGNS: Readonly<Record<Check["state"], string>> = {
  ok: "✓",
  warning: "!",
  failed: "✗",
  skipped: "–",
};

/**
 * Checks this node, and prints what keeps pulls from going through Eddy, with remedies.
 *
 * @returns 1 if a check failed, else 0.
 */
export async function doctorCommand(config: Config, io: CommandIo): Promise<number> {
  using limit = deadline(LIMIT_MS, { signal: io.signal });
  const checks = await examineNode(config, { signal: limit.signal });
  io.stdout(config.json ? `${JSON.stringify(checks, null, 2)}\n` : renderChecks(checks));
  return checks.some(({ state }) => state === "failed") ? 1 : 0;
}

/** The checks as a table, each with its remedy below. */
function renderChecks(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, state, detail, fix }) => [
    `${SIGNS[state]} ${name.padEnd(width)}  ${detail}`,
    ...(fix === "" ? [] : [`  ${"".padEnd(width)}  → ${fix}`]),
  ]);
  const count = (state: Check["state"]) => checks.filter((check) => check.state === state).length;
  const sum = count("failed") === 0
    ? `Nothing is wrong${count("warning") === 0 ? "" : `, ${count("warning")} to look at`}.`
    : `${count("failed")} of ${checks.length} checks failed.`;
  return `${[...lines, "", sum].join("\n")}\n`;
}
