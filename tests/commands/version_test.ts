import assert from "node:assert/strict";
import { join } from "node:path";
import { versionCommand } from "../../lib/commands/version.ts";
import { VERSION } from "../../lib/version.ts";
import { configOf } from "../support/config_of.ts";
import { sourceCommit } from "../../lib/commands/source_commit.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const SHORT = COMMIT.slice(0, 12);

/** Files of a working tree, and the commit that it is at. */
const TREES: Record<string, { files: Record<string, string>; want: string | undefined }> = {
  "a branch": {
    files: { ".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": `${COMMIT}\n` },
    want: SHORT,
  },
  "a packed branch": {
    files: {
      ".git/HEAD": "ref: refs/heads/main\n",
      ".git/packed-refs": `# pack-refs\n${"f".repeat(40)} refs/heads/not-main\n` +
        `${COMMIT} refs/heads/main\n`,
    },
    want: SHORT,
  },
  "no branch": { files: { ".git/HEAD": `${COMMIT}\n` }, want: SHORT },
  "a linked working tree": {
    files: {
      ".git": "gitdir: main/worktrees/this\n",
      "main/worktrees/this/HEAD": "ref: refs/heads/topic\n",
      "main/worktrees/this/commondir": "../..\n",
      "main/refs/heads/topic": `${COMMIT}\n`,
    },
    want: SHORT,
  },
  "no repository": { files: {}, want: undefined },
  "a branch without a commit": { files: { ".git/HEAD": "ref: refs/heads/main" }, want: undefined },
  "nonsense": { files: { ".git/HEAD": "ref: ../../etc/passwd" }, want: undefined },
};

for (const [name, { files, want }] of Object.entries(TREES)) {
  test(`the commit of a source tree: ${name}`, async () => {
    await using root = await tempDirectory();
    for (const [path, text] of Object.entries(files)) {
      const file = join(root.path, path);
      await Deno.mkdir(join(file, ".."), { recursive: true });
      await Deno.writeTextFile(file, text);
    }
    assert.equal(sourceCommit(root.path), want);
  });
}

test("eddy version: a line to read, or JSON for programs", () => {
  const print = (...args: string[]) => {
    let text = "";
    versionCommand(configOf("version", args), {
      ...{ stdout: (part) => text += part, stderr: () => {}, isTerminal: false, env: {} },
      signal: new AbortController().signal,
    });
    return text;
  };
  assert.match(print(), new RegExp(`^eddy ${VERSION} \\(commit .+, Deno .+\\)\n$`));
  const { version, commit, ...rest } = JSON.parse(print("--format", "json"));
  assert.equal(version, VERSION);
  assert.ok(commit);
  const { os, arch } = Deno.build;
  assert.deepEqual(rest, { deno: Deno.version.deno, platform: `${os}/${arch}` });
});
