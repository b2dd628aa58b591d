import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { LineBuffer } from "../../lib/observability/line_buffer.ts";
import { test } from "../support/test.ts";

test("lines: those of one turn are passed on together, at its end", async () => {
  const passed: string[] = [];
  using lines = new LineBuffer((text) => passed.push(text));
  lines.write("a\n");
  await Promise.resolve();
  lines.write("b\n");
  assert.deepEqual(passed, []);
  await setImmediate();
  assert.deepEqual(passed, ["a\nb\n"]);
  lines.write("c\n");
  await setImmediate();
  assert.deepEqual(passed, ["a\nb\n", "c\n"]);
});

test("lines: the end, and an unobserved error, bring out what is left", () => {
  const passed: string[] = [];
  const lines = new LineBuffer((text) => passed.push(text));
  for (const event of ["unload", "error", "unhandledrejection"]) {
    lines.write(`${event}\n`);
    globalThis.dispatchEvent(new Event(event));
  }
  lines.write("last\n");
  lines[Symbol.dispose]();
  lines[Symbol.dispose]();
  assert.deepEqual(passed, ["unload\n", "error\n", "unhandledrejection\n", "last\n"]);
});

test("lines: a process that ends by exit or by an unobserved rejection loses none", async () => {
  const url = new URL("../../lib/observability/line_buffer.ts", import.meta.url).href;
  for (const ending of ["Deno.exit(3)", "Promise.reject(new Error('nobody looks'))"]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        "--no-config",
        `import { LineBuffer } from ${JSON.stringify(url)};
        const lines = new LineBuffer((text) => Deno.stdout.writeSync(new TextEncoder().encode(text)));
        lines.write("last words\\n");
        ${ending};`,
      ],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "last words\n", ending);
  }
});
