// First: what is imported later looks at the environment.
import "./lib/commands/narrow_environment.ts";
import { isatty } from "node:tty";
import process from "node:process";

/** Ends the process when a second signal comes, for whoever cannot wait for the graceful stop. */
const INTERRUPTED = 130;

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    if (stop.signal.aborted) Deno.exit(INTERRUPTED);
    stop.abort(new DOMException(`received ${signal}`, "AbortError"));
  });
}

// Not above: a bundle's parts run before whatever imports them, whichever is first there.
const { runCommand } = await import("./lib/commands/run.ts");
const code = await runCommand(Deno.args, {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  isTerminal: isatty(1),
  env: process.env,
  signal: stop.signal,
});
Deno.exit(code);
