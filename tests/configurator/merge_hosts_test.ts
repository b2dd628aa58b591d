import assert from "node:assert/strict";
import fc from "fast-check";
import { hostsParts } from "../../lib/configurator/hosts_parts.ts";
import { mergeHosts, shownParts } from "../../lib/configurator/merge_hosts.ts";
import { tomlLines } from "../../lib/configurator/toml_lines.ts";
import { test } from "../support/test.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const host = (name: string, rest = "") => `[host."https://${name}.example"]\n${rest}`;
const SECRET = `${host("m")}\n[host."https://m.example".header]\nAuthorization = "Basic secret"\n`;

interface Case {
  readonly name: string;
  /** What the backup holds. */
  readonly original: string;
  /** What Eddy wrote of it. */
  readonly shown: string;
  /** What stands there now. */
  readonly edited: string;
  readonly merged: string | undefined;
}

const CASES: readonly Case[] = [
  {
    name: "nothing was done: every byte stays",
    original: `# mine\nserver = 'https://s' # up\n\n${host("a", "  skip_verify = true # no\n")}`,
    shown: `# mine\nserver = "https://s"\n\n${host("a", "skip_verify = true\n")}`,
    edited: `# mine\nserver = "https://s"\n\n${host("a", "skip_verify = true\n")}`,
    merged: `# mine\nserver = 'https://s' # up\n\n${host("a", "  skip_verify = true # no\n")}`,
  },
  {
    name: "a host is added to a file in which the user's do not stand",
    original: SECRET,
    shown: "",
    edited: host("n"),
    merged: `${SECRET}\n${host("n")}`,
  },
  {
    name: "a host that did not stand there is written again by hand",
    original: SECRET,
    shown: "",
    edited: host("m"),
    merged: SECRET,
  },
  {
    name: "so it is with another value, which counts, beside what is in the backup alone",
    original: `${host("m", "skip_verify = true\n")}# why\n${SECRET.slice(host("m").length)}`,
    shown: "",
    edited: host("m", "skip_verify = false\n"),
    merged: `# why\n[host."https://m.example"]\nskip_verify = false\n\n` +
      `[host."https://m.example".header]\nAuthorization = "Basic secret"\n`,
  },
  {
    name: "a host that stood there is taken out",
    original: `${host("a")}# of b\n${host("b", "skip_verify = true # in b\n")}${host("c")}`,
    shown: host("a") + host("b", "skip_verify = true\n") + host("c"),
    edited: host("a") + host("c"),
    merged: `${host("a")}\n${host("c")}`,
  },
  {
    name: "the header of a host that stood there is taken out, its comments stay",
    original: `# file's\n\n# of m\n${SECRET}`,
    shown: `# file's\n\n${SECRET}`,
    edited: `# file's\n\n${host("m")}`,
    merged: `# file's\n\n# of m\n${host("m")}`,
  },
  {
    name: "hosts are put into another order",
    original: host("a") + host("b") + host("c"),
    shown: host("a") + host("b") + host("c"),
    edited: host("c") + host("a") + host("b"),
    merged: `${host("c")}\n${host("a")}${host("b")}`,
  },
  {
    name: "a comment of the file is taken out, and another written",
    original: `# old\nserver = "https://s" # unseen\n`,
    shown: `# old\nserver = "https://s"\n`,
    edited: `# new\nserver = "https://s"\n`,
    merged: `# unseen\n# new\nserver = "https://s"\n`,
  },
  {
    name: "the backup was changed as well",
    original: host("a", "skip_verify = true\n") + host("late"),
    shown: host("a"),
    edited: `${host("a")}\n${host("n")}`,
    merged: `${host("a", "skip_verify = true\n")}${host("late")}\n${host("n")}`,
  },
  {
    name: "a host that was taken out of the backup does not come back",
    original: host("a"),
    shown: host("a") + host("b"),
    edited: `server = "https://s"\n${host("a")}${host("b")}`,
    merged: `server = "https://s"\n\n${host("a")}`,
  },
  {
    name: "other spellings of one host are one host",
    original: `[host."https://m.example/v2/"]\nskip_verify = true\n`,
    shown: "",
    edited: host("m"),
    merged: host("m", "skip_verify = true\n"),
  },
  {
    name: "forms of TOML that nobody can cut",
    original: `# top\n[host]\n"https://a.example" = { skip_verify = true } # a\n`,
    shown: "",
    edited: `host."https://b.example".skip_verify = true # b\n`,
    merged: `# b\n# top\n# a\n\n[host."https://a.example"]\nskip_verify = true\n\n` +
      `[host."https://b.example"]\nskip_verify = true\n`,
  },
  { name: "no TOML", original: host("a"), shown: "", edited: "[half", merged: undefined },
  { name: "nor in the backup", original: "[half", shown: "", edited: host("a"), merged: undefined },
];

test("an edit is merged into the original", async (t) => {
  for (const { name, original, shown, edited, merged } of CASES) {
    await t.step(name, () => {
      const parts = shownParts(bytes(shown));
      assert.equal(mergeHosts(bytes(original), bytes(edited), parts), merged);
      if (merged === undefined) return;
      // Once more, as after a crash that came before anything else was done.
      assert.equal(mergeHosts(bytes(merged), bytes(edited), parts), merged, "again");
    });
  }
});

const ODD = `# [no.header] "
a = """
[not.a.header] # no comment
\\""" still """ # one
b = '''
# no comment'''''
c = [ # two
  "]", # three
  ["d"],
]
e = { f = "#" } # four
[g."h]#\\"i"] # five
[[k]]
`;

test("lines of TOML: strings, lists and comments", () => {
  const lines = tomlLines(ODD);
  assert.deepEqual(lines.map(({ kind }) => kind), [
    ...["comment", "key", "key", "key", "key", "header", "header"],
  ]);
  assert.deepEqual(lines.flatMap(({ comments }) => comments).slice(1), [
    ...["# one", "# two", "# three", "# four", "# five"],
  ]);
  assert.equal(lines.map(({ text }) => text).join(""), ODD);
});

test("lines and parts put together are the document, whatever it is", () => {
  const piece = fc.constantFrom(
    ...["[", "]", '"', "'", '"""', "'''", "#", "\n", "=", "a", "\\", "{", "}", " ", "host."],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const document = pieces.join("");
      assert.equal(tomlLines(document).map(({ text }) => text).join(""), document);
      hostsParts(bytes(document));
    }),
    { numRuns: 500 },
  );
});
