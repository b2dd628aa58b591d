/**
 * Makes `dist/eddy`: bundles the program, then compiles the bundle alone. Compiling the program as
 * it is would embed the whole tree of packages, which doubles the size and the start. What is
 * imported lazily becomes a module of its own, which is not even read until it is used.
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
  // To install and uninstall the service.
  "--allow-run=systemctl",
];

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
for (const { name } of await Array.fromAsync(Deno.readDir(work))) {
  const module = await Deno.readTextFile(`${work}/${name}`);
  await Deno.writeTextFile(`${work}/${name}`, PRELUDE + module);
}
// A configuration of its own keeps the packages of the project out.
await Deno.writeTextFile(`${work}/deno.json`, '{ "unstable": ["net", "no-legacy-abort"] }\n');
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
  "main.js",
);

async function deno(cwd: string, ...args: string[]): Promise<void> {
  const { success, code } = await new Deno.Command(Deno.execPath(), { args, cwd }).spawn().status;
  if (!success) throw new Error(`deno ${args[0]} ended with exit code ${code}`);
}
