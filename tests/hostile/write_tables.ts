// Writes the tables of docs/security.md from the lists that the suites play.
import { formatAttempts } from "../e2e/lab/attacker/attempts.ts";
import { formatCases } from "./cases.ts";
import { formatThreats } from "./threats.ts";

const FILE = new URL("../../docs/security.md", import.meta.url);
const TABLE = /(?:^\|.*\n)+/gm;

const tables = [formatThreats(), formatAttempts(), formatCases()];
const text = await Deno.readTextFile(FILE);
if (text.match(TABLE)?.length !== tables.length) {
  throw new Error("want three tables in the document");
}
await Deno.writeTextFile(FILE, text.replace(TABLE, () => `${tables.shift()}\n`));
