import { test } from "../../support/test.ts";
import { cacheEddy, eddyCommand } from "./eddy_command.ts";
import { Lab, type LabOptions } from "./lab.ts";
import { missingRequirements } from "./missing_requirements.ts";

/** Adds a case to a lab test. Each begins in a healed lab, whatever the one before did. */
export type Case = (name: string, fn: () => Promise<void>) => Promise<void>;

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
  const title = `e2e: ${name}`;
  if (missing.length > 0) {
    const reason = `left out, this machine lacks ${missing.join(", ")}`;
    if (Deno.env.get("CI") === "true") {
      test(title, () => {
        throw new Error(reason);
      });
    } else {
      Deno.test({ name: `${title} (${reason})`, ignore: true, fn: () => {} });
    }
    return;
  }
  test(title, async (t) => {
    await cacheEddy();
    await using lab = await Lab.create(options);
    await body(lab, async (stepName, fn) => {
      await t.step({
        name: stepName,
        // Processes and connections of the lab outlive a case; the test as a whole is checked.
        sanitizeOps: false,
        sanitizeResources: false,
        fn: async () => {
          try {
            if (options.withoutAgents !== true) await lab.heal();
            await fn();
          } catch (error) {
            throw new Error(`${String(error)}\n${await lab.tails()}`, { cause: error });
          }
        },
      });
    });
  });
}
