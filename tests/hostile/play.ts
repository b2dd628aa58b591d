import assert from "node:assert/strict";
import { report } from "../e2e/lab/report.ts";
import type { Case } from "../support/test.ts";
import { type CaseName, CASES } from "./cases.ts";
import type { HostileCase } from "./hostile_case.ts";

/**
 * Plays a case as a step of a suite, writes down what came of it, and compares that with
 * {@link CASES}, which docs/security.md shows.
 *
 * @param body does it and says what came of it.
 */
export async function play(
  step: Case,
  name: CaseName,
  { withKey }: { readonly withKey: boolean },
  body: () => Promise<string>,
): Promise<void> {
  const { what, ...answers }: HostileCase = CASES[name];
  await step(`${name}: ${what}`, async () => {
    const answer = await body();
    report(`hostile ${name}, ${withKey ? "with" : "without"} key: ${answer}`);
    assert.equal(answer, withKey ? answers.withKey : answers.without);
  });
}
