import { ACCESS } from "./cases/access.ts";
import { BYTES } from "./cases/bytes.ts";
import { CREDENTIALS } from "./cases/credentials.ts";
import { FILES } from "./cases/files.ts";
import { LIMITS } from "./cases/limits.ts";
import { PAGES } from "./cases/pages.ts";
import { REQUESTS } from "./cases/requests.ts";
import { SHARING } from "./cases/sharing.ts";
import type { HostileCase } from "./hostile_case.ts";

/** What somebody hostile, or something broken, does to running agents, and what comes of it. */
export const CASES = {
  ...ACCESS,
  ...CREDENTIALS,
  ...REQUESTS,
  ...PAGES,
  ...BYTES,
  ...SHARING,
  ...LIMITS,
  ...FILES,
};

/** Name of a case. */
export type CaseName = keyof typeof CASES;

/** The cases as a table in Markdown. */
export function formatCases(): string {
  const rows = (Object.values(CASES) as HostileCase[]).map(({ what, withKey, without }) =>
    `| ${what} | ${withKey} | ${without} |`
  );
  return ["| Case | With a cluster key | Without |", "| --- | --- | --- |", ...rows].join("\n");
}
