import assert from "node:assert/strict";
import { applyConfiguration } from "../../lib/configurator/apply_configuration.ts";
import { configure, restoreConfiguration } from "../../lib/configurator/configure.ts";
import { ConfiguratorError } from "../../lib/configurator/configurator_error.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { diffConfiguration } from "../../lib/configurator/diff_configuration.ts";
import { planConfiguration } from "../../lib/configurator/plan_configuration.ts";
import { planRestore } from "../../lib/configurator/plan_restore.ts";
import { test } from "../support/test.ts";
import { optionsFor, put, readStamps, readTree, text, type TreeFile, withTree } from "./tree.ts";

const collaborators = { fileSystem: denoFileSystem };
const BLOCK = `# >>> eddy: this block is rewritten by Eddy, put your own settings outside of it
[host."http://127.0.0.1:5000"]
capabilities = [ "pull", "resolve" ]
dial_timeout = "200ms"
# <<< eddy
`;
const DOCKER = `# mine
server = 'https://registry-1.docker.io'   # upstream

[host.'https://m.example']
  skip_verify = true
`;
const DOCKER_MERGED = `# mine
server = "https://registry-1.docker.io"

${BLOCK}
[host."https://m.example"]
skip_verify = true
`;

/** A directory in which nearly everything occurs that a user can have there. */
const RICH: Readonly<Record<string, TreeFile>> = {
  "docker.io/hosts.toml": { text: DOCKER, mode: 0o640 },
  "docker.io/ca.pem": { text: "pem", mode: 0o600 },
  "docker.io/nested/deep.txt": "deep",
  "certs.example/ca.crt": "ca",
  "certs.example/client.cert": "cert",
  "certs.example/client.key": { text: "key", mode: 0o600 },
  "empty.example/": "",
  "emptyfile.example/hosts.toml": "",
  "broken.example/hosts.toml": "server = ",
  "localhost_5001_/hosts.toml": `[host."http://127.0.0.1:9"]\n`,
  "link.example/hosts.toml": { link: "../shared.toml" },
  "shared.toml": `[host."https://shared.example"]\n`,
  "alias.example": { link: "docker.io" },
  "outside.example": { link: "/tmp" },
  "dangling.example/hosts.toml": { link: "/nowhere/hosts.toml" },
  "directory.example/hosts.toml/": "",
  "not a registry/hosts.toml": "whatever",
  "127.0.0.1:5000/hosts.toml": `server = "http://127.0.0.1:5000"\n`,
  "README": "hello",
};

test("all registries: the default folder and each folder that is there", async () => {
  await withTree(RICH, async (root) => {
    const plan = await configure(collaborators, optionsFor(root));
    assert.equal(await text(root, "_default/hosts.toml"), BLOCK);
    assert.equal(await text(root, "docker.io/hosts.toml"), DOCKER_MERGED);
    assert.match(
      await text(root, "certs.example/hosts.toml"),
      /eddy: .*\nca = \[ "ca.crt" \]\nclient = \[ \[ "client.cert", "client.key" \] \]\n\n\[host/,
    );
    assert.equal(await text(root, "empty.example/hosts.toml"), BLOCK);
    assert.equal(await text(root, "emptyfile.example/hosts.toml"), BLOCK);
    assert.equal(await text(root, "dangling.example/hosts.toml"), BLOCK);
    assert.equal(
      await text(root, "localhost_5001_/hosts.toml"),
      `${BLOCK}\n[host."http://127.0.0.1:9"]\n`,
    );
    assert.equal(
      await text(root, "link.example/hosts.toml"),
      `${BLOCK}\n[host."https://shared.example"]\n`,
    );
    const tree = await readTree(root);
    assert.ok(tree["link.example/hosts.toml"]?.startsWith("644 "));
    assert.ok(tree["docker.io/hosts.toml"]?.startsWith("640 "));
    assert.equal(tree["_backup/docker.io/hosts.toml"], `640 ${DOCKER}`);
    assert.equal(tree["_backup/link.example/hosts.toml"], "-> ../shared.toml");
    assert.equal(tree["shared.toml"], `644 [host."https://shared.example"]\n`);
    for (const path of ["broken.example/hosts.toml", "not a registry/hosts.toml"]) {
      assert.equal(tree[path], `644 ${RICH[path]}`);
    }
    assert.equal(tree["127.0.0.1:5000/hosts.toml"], `644 server = "http://127.0.0.1:5000"\n`);
    assert.equal(tree["alias.example"], "-> docker.io");
    assert.deepEqual(plan.warnings.map((w) => /certs\.d\/([^/ ]+)/.exec(w)?.[1]).sort(), [
      "broken.example",
      "directory.example",
      "outside.example",
    ]);
  });
});

test("a file where a registry's folder would be is left alone with a warning", async () => {
  const files = { "docker.io": "a file\n", "ca.crt": "kept here\n", "r/hosts.toml": "" };
  for (const mirroredRegistries of [[], ["docker.io", "_default"], ["docker.io"]]) {
    await withTree(files, async (root) => {
      const plan = await configure(collaborators, optionsFor(root, { mirroredRegistries }));
      assert.deepEqual(plan.warnings.map((w) => /certs\.d\/([^/ ]+)/.exec(w)?.[1]), ["docker.io"]);
      const tree = await readTree(root);
      assert.equal(tree["docker.io"], "644 a file\n");
      assert.equal(tree["ca.crt"], "644 kept here\n");
      await restoreConfiguration(collaborators, { configPath: root });
      const { "docker.io": after } = await readTree(root);
      assert.equal(after, "644 a file\n");
    });
  }
});

const OPTIONS = [
  {},
  { mirroredRegistries: ["docker.io", "https://new.example", "localhost:5001", "_default"] },
  { mirroredRegistries: ["new.example"] },
  { prependExisting: false, additionalMirrorRegistries: ["https://zot.example"] },
  { authorization: "Basic eA==" },
];

test("a second run changes nothing, a restore gives back every byte and mode", async (t) => {
  for (const options of OPTIONS) {
    await t.step(JSON.stringify(options), async () => {
      await withTree(RICH, async (root) => {
        const before = await readTree(root);
        await configure(collaborators, optionsFor(root, options));
        const configured = await readStamps(root);
        const again = await configure(collaborators, optionsFor(root, options));
        assert.deepEqual(again.steps, []);
        assert.deepEqual(await readStamps(root), configured);
        const restored = await restoreConfiguration(collaborators, { configPath: root });
        assert.deepEqual(await readTree(root), before);
        assert.ok(restored.changes.length > 0);
        assert.deepEqual((await planRestore(collaborators, { configPath: root })).steps, []);
      });
    });
  }
});

test("options that change from run to run leave the originals as they were", async () => {
  await withTree(RICH, async (root) => {
    const before = await readTree(root);
    for (const options of [...OPTIONS, ...OPTIONS.toReversed()]) {
      await configure(collaborators, optionsFor(root, options));
      assert.equal((await configure(collaborators, optionsFor(root, options))).steps.length, 0);
    }
    await restoreConfiguration(collaborators, { configPath: root });
    assert.deepEqual(await readTree(root), before);
  });
});

test("a registry that is no longer mirrored becomes what it was at once", async () => {
  await withTree(RICH, async (root) => {
    const before = await readTree(root);
    await configure(collaborators, optionsFor(root, { mirroredRegistries: ["docker.io", "a.io"] }));
    await configure(collaborators, optionsFor(root, { mirroredRegistries: ["b.io"] }));
    const tree = await readTree(root);
    for (const path of ["b.io/", "b.io/hosts.toml", "_backup/", "_backup/.eddy.json"]) {
      assert.ok(path in tree, path);
      delete tree[path];
    }
    assert.deepEqual(tree, before);
  });
});

test("a directory that was not there goes again, its parents too", async () => {
  await withTree({}, async (root) => {
    const configPath = `${root}/etc/containerd/certs.d`;
    await configure(collaborators, optionsFor(configPath, { mirroredRegistries: ["docker.io"] }));
    const tree = await readTree(root);
    assert.equal(tree["etc/containerd/certs.d/docker.io/"], "755");
    assert.match(
      tree["etc/containerd/certs.d/docker.io/hosts.toml"] ?? "",
      /^644 # >>> eddy.*\nserver = "https:\/\/registry-1.docker.io"\n/,
    );
    await restoreConfiguration(collaborators, { configPath });
    assert.deepEqual(await readTree(root), {});
  });
});

test("what others put into a folder of Eddy's keeps the folder", async () => {
  await withTree({}, async (root) => {
    await configure(collaborators, optionsFor(root, { mirroredRegistries: ["docker.io"] }));
    await put(`${root}/docker.io/ca.pem`, "mine");
    await restoreConfiguration(collaborators, { configPath: root });
    assert.deepEqual(await readTree(root), { "docker.io/": "755", "docker.io/ca.pem": "644 mine" });
  });
});

test("a new folder for one registry inherits what the user's default folder says", async () => {
  const tree = {
    "_default/hosts.toml": `ca = "d.pem"\n[host."https://m.example"]\nca = "m.pem"\n`,
  };
  await withTree(tree, async (root) => {
    const before = await readTree(root);
    const options = optionsFor(root, { mirroredRegistries: ["docker.io", "_default"] });
    await configure(collaborators, options);
    assert.match(
      await text(root, "docker.io/hosts.toml"),
      /\nca = "\.\.\/_default\/d\.pem"\n[^]*m\.example"\]\nca = "\.\.\/_default\/m\.pem"\n# <<< eddy\n$/,
    );
    assert.deepEqual((await planConfiguration(collaborators, options)).steps, []);
    await restoreConfiguration(collaborators, { configPath: root });
    assert.deepEqual(await readTree(root), before);
  });
});

test("the name that containerd reads first is used where it is there", async () => {
  await withTree({ "localhost_5001_/ca.crt": "x" }, async (root) => {
    await configure(collaborators, optionsFor(root, { mirroredRegistries: ["localhost:5001"] }));
    const tree = await readTree(root);
    assert.ok("localhost_5001_/hosts.toml" in tree);
    assert.ok(!("localhost:5001/" in tree));
  });
});

test("Eddy is not put in front of itself", async () => {
  await withTree({}, async (root) => {
    const plan = await configure(
      collaborators,
      optionsFor(root, { mirroredRegistries: ["127.0.0.1:5000"] }),
    );
    assert.match(plan.warnings.join(), /127\.0\.0\.1:5000 is Eddy itself/);
    assert.deepEqual(await readTree(root), {});
  });
});

test("a secret makes files owner-only, and stays out of the diff", async () => {
  await withTree({ "docker.io/hosts.toml": DOCKER }, async (root) => {
    const options = optionsFor(root, { authorization: "Basic c2VjcmV0" });
    const diff = diffConfiguration(await planConfiguration(collaborators, options));
    assert.ok(!diff.includes("c2VjcmV0"));
    assert.match(diff, /^\+Authorization = "\(secret\)"$/m);
    await configure(collaborators, options);
    const tree = await readTree(root);
    for (const path of ["docker.io/hosts.toml", "_default/hosts.toml"]) {
      assert.match(tree[path] ?? "", /^600 [^]*Authorization = "Basic c2VjcmV0"/);
    }
    await Deno.chmod(`${root}/docker.io/hosts.toml`, 0o644);
    await configure(collaborators, options);
    assert.match((await readTree(root))["docker.io/hosts.toml"] ?? "", /^600 /);
  });
});

test("a secret that is replaced, or taken out, stays out of diffs as well", async () => {
  await withTree({ "docker.io/hosts.toml": { text: DOCKER, mode: 0o640 } }, async (root) => {
    const before = await readTree(root);
    await configure(collaborators, optionsFor(root, { authorization: "Basic b2xk" }));
    const next = optionsFor(root, { authorization: "Basic bmV3" });
    const plans = [
      await planConfiguration(collaborators, next),
      await planConfiguration(collaborators, optionsFor(root)),
      await planRestore(collaborators, { configPath: root }),
    ];
    for (const plan of plans) {
      const diff = diffConfiguration(plan);
      assert.match(diff, /^-Authorization = "\(secret\)"$/m);
      assert.ok(!/b2xk|bmV3/.test(diff), diff);
    }
    await configure(collaborators, next);
    const tree = await readTree(root);
    assert.match(tree["docker.io/hosts.toml"] ?? "", /^600 [^]*Authorization = "Basic bmV3"/);
    await configure(collaborators, optionsFor(root));
    assert.match((await readTree(root))["docker.io/hosts.toml"] ?? "", /^640 /);
    assert.match((await readTree(root))["_default/hosts.toml"] ?? "", /^644 /);
    await configure(collaborators, next);
    await restoreConfiguration(collaborators, { configPath: root });
    assert.deepEqual(await readTree(root), before);
  });
});

test("a header of the user's is not shown either, whatever its form", async () => {
  const forms = ['"Basic eDp5"', "'Basic eDp5'", '["Basic eDp5"]', '[\n  "Basic eDp5",\n]'];
  for (const form of forms) {
    const hosts = `[host."https://m.example".header]\nauthorization = ${form}\n`;
    await withTree({ "docker.io/hosts.toml": hosts }, async (root) => {
      const diff = diffConfiguration(await planConfiguration(collaborators, optionsFor(root)));
      assert.ok(!diff.includes("eDp5"), diff);
    });
  }
});

test("a dry run shows a unified diff and changes nothing", async () => {
  await withTree({ "docker.io/hosts.toml": DOCKER }, async (root) => {
    const before = await readStamps(root);
    const options = optionsFor(root);
    const plan = await planConfiguration(collaborators, options);
    assert.equal(
      diffConfiguration(plan).replaceAll(root, ""),
      `--- /dev/null
+++ /_default/hosts.toml
@@ -0,0 +1,5 @@
${BLOCK.replace(/^/gm, "+").slice(0, -1)}--- /docker.io/hosts.toml
+++ /docker.io/hosts.toml
@@ -1,5 +1,11 @@
 # mine
-server = 'https://registry-1.docker.io'   # upstream
+server = "https://registry-1.docker.io"
 
-[host.'https://m.example']
-  skip_verify = true
${BLOCK.replace(/^/gm, "+").slice(0, -1)}+
+[host."https://m.example"]
+skip_verify = true
`,
    );
    assert.deepEqual(await readStamps(root), before);
    await applyConfiguration(collaborators, plan);
    assert.equal(diffConfiguration(await planConfiguration(collaborators, options)), "");
    const undo = diffConfiguration(await planRestore(collaborators, { configPath: root }));
    assert.match(undo, /\+\+\+ \/dev\/null/);
  });
});

test("a file that changed after planning is not overwritten", async () => {
  await withTree({ "docker.io/hosts.toml": DOCKER }, async (root) => {
    const plan = await planConfiguration(collaborators, optionsFor(root));
    await put(`${root}/docker.io/hosts.toml`, "server = 'https://other'\n");
    await assert.rejects(
      applyConfiguration(collaborators, plan),
      (error) => error instanceof ConfiguratorError && error.conflict,
    );
    assert.equal(await text(root, "docker.io/hosts.toml"), "server = 'https://other'\n");
    await configure(collaborators, optionsFor(root));
    await restoreConfiguration(collaborators, { configPath: root });
    // The host went while it could be seen; the comment was in the backup alone by then.
    assert.equal(
      await text(root, "docker.io/hosts.toml"),
      "# upstream\nserver = 'https://other'\n",
    );
  });
});

test("errors name the path, the action and what helps", async (t) => {
  await t.step("a file stands where the directory should be", async () => {
    await withTree({ "file": "x" }, async (root) => {
      await assert.rejects(configure(collaborators, optionsFor(`${root}/file`)), {
        name: "ConfiguratorError",
        message: /cannot list .*certs\.d\/file: Not a directory.*; a file stands where/,
      });
    });
  });
  await t.step("a read-only file system", async () => {
    await assert.rejects(configure(collaborators, optionsFor("/proc/certs.d")), {
      name: "ConfiguratorError",
      message: /cannot create directory \/proc\/certs\.d: .*; /,
    });
  });
  await t.step("a damaged record", async () => {
    await withTree({ "_backup/.eddy.json": "{" }, async (root) => {
      await assert.rejects(configure(collaborators, optionsFor(root)), {
        message: /cannot understand .*_backup\/\.eddy\.json: it is damaged/,
      });
    });
  });
});
