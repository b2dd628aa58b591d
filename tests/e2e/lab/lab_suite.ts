import { type Case, casesOf, testWith } from "../../support/test.ts";
import { cacheEddy, eddyCommand } from "./eddy_command.ts";
import { Lab, type LabOptions } from "./lab.ts";
import { missingRequirements } from "./missing_requirements.ts";

/** Settings of {@link labSuite}. */
export interface LabSuiteOptions extends LabOptions {
  /** Programs that the suite needs besides those of every lab. */
  tools?: readonly string[];
  /** Needs Eddy as one file (`EDDY_BIN`). Default false. */
  compiled?: boolean;
  /** What else the machine lacks for it; default: nothing. */
  lacking?: readonly string[];
}

/**
 * Registers a test that runs cases in one lab. Where the machine lacks something for that, the test
 * is left out, saying why; in CI (`CI=true`) it fails instead.
 */
export async function labSuite(
  name: string,
  options: LabSuiteOptions,
  body: (lab: Lab, step: Case) => Promise<void>,
): Promise<void> {
  const missing = await missingRequirements(options.releases, options.tools);
  missing.push(...options.lacking ?? []);
  if (options.compiled === true && eddyCommand().length > 1) missing.push("EDDY_BIN");
  testWith(missing, `e2e: ${name}`, async (t) => {
    await cacheEddy();
    await using lab = await Lab.create(options);
    const heal = () => options.withoutAgents === true ? Promise.resolve() : lab.heal();
    // Each case begins in a healed lab, whatever the one before did.
    await body(lab, casesOf(t, { before: heal, explain: () => lab.tails() }));
  });
}
