/**
 * Makes `dist/eddy`: bundles the program into one module, then compiles that alone. Compiling the
 * program as it is would embed the whole tree of packages, which doubles the size and the start.
 * Arguments are passed on to `deno compile`, such as `--target aarch64-unknown-linux-gnu`.
 */

/** Bundled CommonJS modules ask for built-ins by `require`, which modules do not have. */
const PRELUDE = 'import { createRequire as __createRequire } from "node:module";\n' +
  "const require = __createRequire(import.meta.url);\n";
/** What the program needs at run time; everything else is denied. */
const PERMISSIONS = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
];

const root = new URL("..", import.meta.url).pathname;
const work = `${root}dist/bundle`;
await Deno.mkdir(work, { recursive: true });
await deno(
  root,
  "bundle",
  "--quiet",
  "--minify",
  "--platform=deno",
  "-o",
  `${work}/eddy.js`,
  "main.ts",
);
const bundle = await Deno.readTextFile(`${work}/eddy.js`);
await Deno.writeTextFile(`${work}/eddy.js`, PRELUDE + bundle);
// A configuration of its own keeps the packages of the project out.
await Deno.writeTextFile(`${work}/deno.json`, '{ "unstable": ["no-legacy-abort"] }\n');
await deno(
  work,
  "compile",
  "--quiet",
  "--no-check",
  "--node-modules-dir=none",
  ...PERMISSIONS,
  "-o",
  `${root}dist/eddy`,
  ...Deno.args,
  "eddy.js",
);

async function deno(cwd: string, ...args: string[]): Promise<void> {
  const { success, code } = await new Deno.Command(Deno.execPath(), { args, cwd }).spawn().status;
  if (!success) throw new Error(`deno ${args[0]} ended with exit code ${code}`);
}
