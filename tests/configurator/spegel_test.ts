import assert from "node:assert/strict";
import { configure, restoreConfiguration } from "../../lib/configurator/configure.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { isSpegelOutput } from "../../lib/configurator/spegel_backup.ts";
import { test } from "../support/test.ts";
import { optionsFor, put, readTree, text, type TreeFile, withTree } from "./tree.ts";

const collaborators = { fileSystem: denoFileSystem };
const SPEGEL_DEFAULT = `[host.'http://127.0.0.1:30020']
capabilities = ['pull', 'resolve']
dial_timeout = '200ms'`;
const SPEGEL_DOCKER = `server = 'https://registry-1.docker.io'

${SPEGEL_DEFAULT}

[host.'https://m.example']
capabilities = ['pull']`;
const DOCKER = `[host."https://m.example"]  # mine\ncapabilities = ["pull"]\n`;

/** As Spegel leaves it: originals moved into the backup, its own output in their places. */
const LEFT_BY_SPEGEL: Readonly<Record<string, TreeFile>> = {
  "_default/hosts.toml": SPEGEL_DEFAULT,
  "docker.io/hosts.toml": SPEGEL_DOCKER,
  "docker.io/ca.pem": "pem",
  "_backup/docker.io/hosts.toml": { text: DOCKER, mode: 0o640 },
  "_backup/docker.io/ca.pem": "pem",
  "_backup/ghcr.io/hosts.toml": "server = 'https://ghcr.io'\n",
  "_backup/certs.example/ca.crt": "ca",
  "_backup/certs.example/client.key": { text: "key", mode: 0o600 },
  "_backup/link.example/hosts.toml": { link: "../data.txt" },
  "_backup/data.txt": `[host."https://linked.example"]\n`,
};

test("a node that comes from Spegel keeps what the user had before it", async (t) => {
  for (const mirroredRegistries of [[], ["docker.io"]]) {
    await t.step(`mirrored: ${mirroredRegistries.join() || "all"}`, async () => {
      await withTree(LEFT_BY_SPEGEL, async (root) => {
        await configure(collaborators, optionsFor(root, { mirroredRegistries }));
        assert.match(
          await text(root, "docker.io/hosts.toml"),
          /^# >>> eddy[^]*:5000[^]*# <<< eddy\n\n\[host\."https:\/\/m\.example"\]\ncapabilities = \[ "pull" \]\n$/,
        );
        const tree = await readTree(root);
        if (mirroredRegistries.length === 0) {
          assert.match(tree["ghcr.io/hosts.toml"] ?? "", /# >>> eddy/);
          assert.match(tree["certs.example/hosts.toml"] ?? "", /ca = \[ "ca\.crt" \]/);
          assert.match(tree["link.example/hosts.toml"] ?? "", /https:\/\/linked\.example/);
        } else {
          assert.equal(tree["ghcr.io/hosts.toml"], "644 server = 'https://ghcr.io'\n");
          assert.equal(tree["_default/hosts.toml"], undefined);
          assert.equal(tree["link.example/hosts.toml"], "-> ../data.txt");
        }
        assert.ok(!Object.values(tree).some((value) => value.includes("30020")));
        assert.equal(tree["certs.example/client.key"], "600 key");
        const again = await configure(collaborators, optionsFor(root, { mirroredRegistries }));
        assert.deepEqual(again.steps, []);
        await restoreConfiguration(collaborators, { configPath: root });
        assert.deepEqual(await readTree(root), await treeBefore());
      });
    });
  }
});

test("what was written after Spegel counts as the user's", async () => {
  await withTree(LEFT_BY_SPEGEL, async (root) => {
    await put(`${root}/docker.io/hosts.toml`, "server = 'https://newer'\n");
    await put(`${root}/docker.io/ca.pem`, "newer pem");
    await put(`${root}/late.example/hosts.toml`, "server = 'https://late'\n");
    const plan = await configure(collaborators, optionsFor(root));
    assert.match(plan.warnings.join("\n"), /docker\.io\/ca\.pem differs from .*both are kept/);
    assert.match(await text(root, "docker.io/hosts.toml"), /^server = "https:\/\/newer"\n/);
    await restoreConfiguration(collaborators, { configPath: root });
    const tree = await readTree(root);
    // What only the backup holds is kept.
    assert.equal(tree["docker.io/hosts.toml"], `640 server = 'https://newer'\n\n${DOCKER}`);
    assert.equal(tree["docker.io/ca.pem"], "644 newer pem");
    assert.equal(tree["_backup/docker.io/ca.pem"], "644 pem");
    assert.equal(tree["late.example/hosts.toml"], "644 server = 'https://late'\n");
  });
});

test("hosts that were added behind Spegel's own are the user's", async () => {
  const added = `\n\n# late\n[host."https://late.example"]\nskip_verify = true\n`;
  for (const [name, before] of [["docker.io", SPEGEL_DOCKER], ["_default", SPEGEL_DEFAULT]]) {
    await withTree(LEFT_BY_SPEGEL, async (root) => {
      await put(`${root}/${name}/hosts.toml`, before + added);
      await configure(collaborators, optionsFor(root));
      assert.match(await text(root, `${name}/hosts.toml`), /\[host\."https:\/\/late\.example"\]/);
      await restoreConfiguration(collaborators, { configPath: root });
      const restored = await text(root, `${name}/hosts.toml`);
      assert.ok(restored.endsWith(added.trimStart()), restored);
      assert.ok(!restored.includes("30020"), restored);
      if (name === "docker.io") assert.ok(restored.startsWith(DOCKER), restored);
    });
  }
});

test("a restore leaves alone what only Spegel has done", async () => {
  await withTree(LEFT_BY_SPEGEL, async (root) => {
    const before = await readTree(root);
    const plan = await restoreConfiguration(collaborators, { configPath: root });
    assert.match(plan.warnings.join(), /_backup was made by another program/);
    assert.deepEqual(await readTree(root), before);
  });
});

const OUTPUTS: readonly (readonly [boolean, string])[] = [
  [true, SPEGEL_DEFAULT],
  [true, SPEGEL_DOCKER],
  [
    true,
    `server = 'https://x'\n\n[host]\n[host.'http://1.2.3.4:30020']\ncapabilities = ['pull']\n`,
  ],
  [false, `[host."http://127.0.0.1:30020"]\ncapabilities = ["pull"]\n`],
  [false, `# mine\n${SPEGEL_DEFAULT}`],
  [false, `[host.'http://a']\nskip_verify = true\n`],
  [false, ""],
];

test("isSpegelOutput", async (t) => {
  for (const [want, content] of OUTPUTS) {
    await t.step(JSON.stringify(content), () => {
      const bytes = new TextEncoder().encode(content);
      assert.equal(isSpegelOutput({ kind: "file", bytes, mode: 0o644 }), want);
    });
  }
});

/** The user's directory before Spegel: what is in its backup. */
async function treeBefore(): Promise<Record<string, string>> {
  const files = Object.entries(LEFT_BY_SPEGEL).filter(([path]) => path.startsWith("_backup/"))
    .map(([path, file]) => [path.slice("_backup/".length), file] as const);
  let tree: Record<string, string> = {};
  await withTree(Object.fromEntries(files), async (root) => {
    tree = await readTree(root);
  });
  return tree;
}
