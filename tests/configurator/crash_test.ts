import assert from "node:assert/strict";
import { configure, restoreConfiguration } from "../../lib/configurator/configure.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import type { ConfiguratorOptions } from "../../lib/configurator/settings.ts";
import { test } from "../support/test.ts";
import { Crash, CrashingFileSystem } from "./crashing_file_system.ts";
import { optionsFor, put, readTree, type TreeFile, withTree } from "./tree.ts";

const collaborators = { fileSystem: denoFileSystem };
/** More changes than any of these runs makes. */
const ENOUGH = 200;

const USER: Readonly<Record<string, TreeFile>> = {
  "docker.io/hosts.toml": { text: `[host."https://m.example"]   # mine\n`, mode: 0o640 },
  "docker.io/ca.pem": "pem",
  "certs.example/ca.crt": "ca",
  "link.example/hosts.toml": { link: "../shared.toml" },
  "shared.toml": `[host."https://shared.example"]\n`,
};

const SPEGEL = `[host.'http://127.0.0.1:30020']
capabilities = ['pull', 'resolve']
dial_timeout = '200ms'`;

interface Scenario {
  readonly name: string;
  readonly tree: Readonly<Record<string, TreeFile>>;
  /** What was done before the run that crashes. */
  readonly prepare?: (root: string) => Promise<void>;
  readonly options?: Partial<ConfiguratorOptions>;
  readonly act: "configure" | "restore";
  /** What the user has at the end, if it is not what `tree` says. */
  readonly want?: Readonly<Record<string, TreeFile>>;
}

const edited = { text: `[host."https://newer.example"] # edited\n`, mode: 0o644 };

const SCENARIOS: readonly Scenario[] = [
  { name: "the first run", tree: USER, act: "configure" },
  {
    name: "a run with other options",
    tree: USER,
    prepare: (root) => run(root, { mirroredRegistries: ["docker.io", "new.example"] }),
    options: { mirrorTargets: ["http://127.0.0.1:7000"] },
    act: "configure",
  },
  {
    name: "a run after a user's edit",
    tree: USER,
    prepare: async (root) => {
      await run(root);
      await put(`${root}/docker.io/hosts.toml`, edited);
    },
    act: "configure",
    want: { ...USER, "docker.io/hosts.toml": edited },
  },
  { name: "a restore", tree: USER, prepare: (root) => run(root), act: "restore" },
  {
    name: "taking over from Spegel",
    tree: {
      "_default/hosts.toml": SPEGEL,
      "_backup/docker.io/hosts.toml": { text: "server = 'https://s'\n", mode: 0o600 },
      "_backup/docker.io/ca.pem": "pem",
      "_backup/ghcr.io/hosts.toml": `[host."https://g.example"]\n`,
      "_backup/ghcr.io/deep/x.pem": { text: "x", mode: 0o400 },
    },
    act: "configure",
    want: {
      "docker.io/hosts.toml": { text: "server = 'https://s'\n", mode: 0o600 },
      "docker.io/ca.pem": "pem",
      "ghcr.io/hosts.toml": `[host."https://g.example"]\n`,
      "ghcr.io/deep/x.pem": { text: "x", mode: 0o400 },
    },
  },
];

for (const scenario of SCENARIOS) {
  test(`a crash at any step of ${scenario.name} loses nothing`, async () => {
    await withTree(scenario.want ?? scenario.tree, async (root) => {
      const wanted = await readTree(root);
      let crashes = 0;
      for (const then of ["configure", "restore", "crash again"] as const) {
        for (let at = 1; at <= ENOUGH; at++) {
          const crashed = await crashOnce(scenario, at, then, wanted);
          if (!crashed) break;
          crashes++;
          assert.ok(at < ENOUGH);
        }
      }
      assert.ok(crashes > 15, `${crashes} crashes`);
    });
  });
}

/** Crashes at one change; whatever comes then, a restore gives the user's files in the end. */
async function crashOnce(
  scenario: Scenario,
  at: number,
  then: "configure" | "restore" | "crash again",
  wanted: Record<string, string>,
): Promise<boolean> {
  let crashed = false;
  await withTree(scenario.tree, async (root) => {
    await scenario.prepare?.(root);
    crashed = await crashing(at, root, scenario);
    if (then === "crash again") await crashing(Math.ceil(at / 2), root, scenario);
    const took = scenario.name.includes("Spegel");
    if (then !== "restore" || took) {
      await run(root, scenario.options);
      const tree = await readTree(root);
      for (const path of ["docker.io/hosts.toml", "_default/hosts.toml"]) {
        assert.match(tree[path] ?? "", /# >>> eddy/, `${path} after a crash at ${at}`);
      }
      const again = await configure(collaborators, optionsFor(root, scenario.options));
      assert.deepEqual(again.steps, [], `steps after a crash at ${at}`);
    }
    await restoreConfiguration(collaborators, { configPath: root });
    assert.deepEqual(await readTree(root), wanted, `crash at ${at}, then ${then}`);
  });
  return crashed;
}

async function crashing(at: number, root: string, scenario: Scenario): Promise<boolean> {
  const fileSystem = new CrashingFileSystem(at);
  const running = scenario.act === "configure"
    ? configure({ fileSystem }, optionsFor(root, scenario.options))
    : restoreConfiguration({ fileSystem }, { configPath: root });
  await running.catch((error) => assert.ok(error instanceof Crash, String(error)));
  return fileSystem.crashed;
}

async function run(root: string, options: Partial<ConfiguratorOptions> = {}): Promise<void> {
  await configure(collaborators, optionsFor(root, options));
}
