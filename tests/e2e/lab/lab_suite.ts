import { type Case, casesOf, testWith } from "../../support/test.ts";
import { cacheEddy, eddyCommand } from "./eddy_command.ts";
import { Lab, type LabOptions } from "./lab.ts";
import { missingRequirements } from "./missing_requirements.ts";
import { SUBNET } from "./network.ts";

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
    reachLabsDirectly();
    await using lab = await Lab.create(options);
    const heal = () => options.withoutAgents === true ? Promise.resolve() : lab.heal();
    // Each case begins in a healed lab, whatever the one before did.
    await body(lab, casesOf(t, { before: heal, explain: () => lab.tails() }));
  });
}

/** Whatever proxy this machine uses, it does not lead to the hosts of a lab. */
function reachLabsDirectly(): void {
  const before = Deno.env.get("NO_PROXY") || Deno.env.get("no_proxy") || "";
  const hosts = [...before.split(","), "localhost", "127.0.0.1", ".test", `${SUBNET}.0/24`];
  Deno.env.set("NO_PROXY", [...new Set(hosts)].filter((host) => host !== "").join(","));
}
