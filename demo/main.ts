/**
 * Shows three nodes that pull an image from each other on this machine; with `--rollout`, six nodes
 * that pull at once. `--keep` keeps the three running.
 */

import { isatty } from "node:tty";
import process from "node:process";
import { parseArgs } from "node:util";
import { messageOf } from "../lib/async/thrown.ts";
import { type DemoOptions, runDemo } from "./demo.ts";

/** Exit code of invalid usage. */
const WRONG_USAGE = 2;

function readOptions(): DemoOptions {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        rollout: { type: "boolean", default: false },
        keep: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    return fail(error, WRONG_USAGE);
  }
}

function fail(error: unknown, code: number): never {
  process.stderr.write(`demo: ${messageOf(error)}\n`);
  return Deno.exit(code);
}

const options = readOptions();
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    stop.abort(new DOMException(`received ${signal}`, "AbortError"));
  });
}
try {
  await runDemo(options, {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    isTerminal: isatty(1),
    env: process.env,
    signal: stop.signal,
  });
  Deno.exit(0);
} catch (error) {
  if (stop.signal.aborted) Deno.exit(0);
  fail(error, 1);
}
