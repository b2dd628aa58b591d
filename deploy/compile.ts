/**
 * Makes `dist/eddy`: bundles the program, then compiles the bundle alone. Compiling the program as
 * it is would embed the whole tree of packages, which doubles the size and the start. What is
 * imported lazily becomes a module of its own, which is not even read until it is used. That is also
 * how large parts that are always used are imported: the memory that the engine takes to parse a
 * module grows with it, and stays with the process. Of packages that offer all they have as one
 * object (zod) `import * as` leaves out what is not used.
 * Arguments are passed on to `deno compile`, such as `--target aarch64-unknown-linux-gnu`.
 */

import { PERMISSIONS } from "./permissions.ts";

/** Bundled CommonJS modules ask for built-ins by `require`, which modules do not have. */
const REQUIRE = 'import { createRequire as __createRequire } from "node:module";\n' +
  "const require = __createRequire(import.meta.url);\n";

/** Bundling or compiling takes a few seconds, and a download of the runtime before it. */
const TIMEOUT_MS = 120_000;

const root = new URL("..", import.meta.url).pathname;
const work = `${root}dist/bundle`;
await Deno.remove(work, { recursive: true }).catch((error) => {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
});
await Deno.mkdir(work, { recursive: true });
await deno(
  root,
  "bundle",
  "--quiet",
  "--minify",
  "--platform=deno",
  "--code-splitting",
  "--outdir",
  work,
  "main.ts",
);
const prelude = `${REQUIRE}const __EDDY_COMMIT__ = ${JSON.stringify(await commit())};\n`;
for (const { name } of await Array.fromAsync(Deno.readDir(work))) {
  const module = await Deno.readTextFile(`${work}/${name}`);
  await Deno.writeTextFile(`${work}/${name}`, prelude + module);
  // Times of files are part of the result; without them the same source gives the same bytes.
  await Deno.utime(`${work}/${name}`, 0, 0);
}
// A configuration of its own keeps the packages of the project out.
await Deno.writeTextFile(`${work}/deno.json`, '{ "unstable": ["net", "no-legacy-abort"] }\n');
await deno(
  work,
  "compile",
  "--quiet",
  "--no-check",
  "--node-modules-dir=none",
  // V8's cache of compiled code would be read from, and left in, a place that everybody can write to:
  // whoever is first there could have code run by root.
  "--no-code-cache",
  ...PERMISSIONS,
  // Young garbage is given 12 MB instead of 48, old garbage half as much as there is in use instead of
  // up to three times that: under load half of the memory, at the same speed. With less for the
  // young, objects of answers under way count as old, and pauses for the old double the slowest answers.
  "--v8-flags=--max-semi-space-size=4,--heap-growing-percent=50",
  "-o",
  `${root}dist/eddy`,
  ...Deno.args,
  "main.js",
);

/** Runs Deno; once more if it takes far too long: the bundler was seen to hang at its end. */
async function deno(cwd: string, ...args: string[]): Promise<void> {
  for (let tries = 2;; tries--) {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    const child = new Deno.Command(Deno.execPath(), { args, cwd, signal: limit }).spawn();
    const { success, code } = await child.status;
    if (success) return;
    if (limit.aborted && tries > 1) continue;
    const end = limit.aborted ? `was not done within ${TIMEOUT_MS} ms` : `ended with code ${code}`;
    throw new Error(`deno ${args[0]} ${end}`);
  }
}

/** What the program is made from: `EDDY_COMMIT` where there is no repository, as in an image. */
async function commit(): Promise<string> {
  const given = Deno.env.get("EDDY_COMMIT");
  if (given) return given;
  try {
    const args = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    const { success, stdout } = await new Deno.Command("git", { args, cwd: root }).output();
    return success ? new TextDecoder().decode(stdout).trim() : "unknown";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "unknown";
    throw error;
  }
}
