import assert from "node:assert/strict";
import { renderCompletion } from "../../lib/config/completion.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { COMMAND_SUMMARIES } from "../../lib/config/help.ts";
import { OPTION_ROWS } from "../../lib/config/options.ts";
import { runProgram } from "../support/run_program.ts";
import { test } from "../support/test.ts";

/** What bash offers after these words, the last of which is still being written. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `${renderCompletion("bash")}
COMP_WORDS=(eddy ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}
_eddy; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { success, stdout } = await new Deno.Command("bash", { args: ["-ec", script] }).output();
  assert(success);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

test("completion: bash offers commands, the flags of each, and files where a flag takes one", async () => {
  assert.deepEqual(await offered(""), Object.keys(COMMAND_SUMMARIES));
  assert.deepEqual(await offered("cleanup-"), ["cleanup-wait"]);
  assert.deepEqual(await offered("completion", ""), ["bash", "zsh", "fish"]);
  assert.deepEqual(await offered("help", "key"), ["keygen"]);
  for (const command of ["agent", "cleanup-wait", "version"] as const) {
    const flags = OPTION_ROWS.filter(({ commands }) => commands.includes(command));
    assert.deepEqual(await offered(command, "--"), flags.map(({ flag }) => `--${flag}`));
  }
  assert.deepEqual(await offered("agent", "--data-dir", "/et"), ["/etc"]);
});

for (const shell of ["bash", "zsh", "fish"]) {
  test(`completion: the script of ${shell} has every command and flag`, () => {
    const words = new Set(renderCompletion(shell).split(/[^\w-]+/));
    const flags = OPTION_ROWS.map(({ flag }) => shell === "fish" ? flag : `--${flag}`);
    for (const name of [...Object.keys(COMMAND_SUMMARIES), ...flags]) assert(words.has(name), name);
  });
}

test("completion: another shell is refused in one line", async () => {
  assert.throws(() => renderCompletion("csh"), ConfigError);
  const { code, stderr } = await runProgram(
    new URL("../../main.ts", import.meta.url).pathname,
    ...["completion", "csh"],
  );
  assert.deepEqual([code, stderr], [2, 'eddy: completion: got "csh", want bash, zsh, fish\n']);
});
