import assert from "node:assert/strict";
import type { ContainerdDeviations } from "./lab/containerd.ts";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import { type LabNode, USER_HOSTS_TOML } from "./lab/lab.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { readTree } from "./lab/read_tree.ts";
import { report } from "./lab/report.ts";
import { UPSTREAM } from "./lab/upstream.ts";

/** Starts whose median is reported. */
const STARTS = 10;
/** How long an agent is left alone before its memory is looked at, ms. */
const IDLE_MS = 5000;

type Tree = Readonly<Record<string, string>>;

const { old, current } = containerdReleases();

for (const release of [old, current] satisfies ContainerdRelease[]) {
  await labSuite(
    `a lone node's configuration, containerd ${release.name}`,
    { id: `conf-${release.name}`, releases: [release], withoutAgents: true },
    async (lab, step) => {
      const node = lab.node(1);
      const certs = node.containerd.certsPath;
      await Deno.writeTextFile(`${certs}/${UPSTREAM}/ca.crt`, "the user's own file\n");
      const original = await readTree(certs);
      await badFlagCases(node, step, original);
      await badContainerdCases(node, step, original);
      await hostsCases(node, step, original);
      await step("a lone node gets ready", () => startUp(node, release));
    },
  );
}

/** What the agent does not accept ends it with one clear line, and nothing is written. */
async function badFlagCases(
  { agent, containerd }: LabNode,
  step: Case,
  original: Tree,
): Promise<void> {
  const certs = containerd.certsPath;
  const cases: Record<string, { flags: string[]; says: RegExp }> = {
    "an address that is none": { flags: ["--registry-addr", "nonsense"], says: /registry-addr/ },
    "an unknown flag": { flags: ["--no-such-flag", "x"], says: /no-such-flag/ },
    "a bad regular expression": { flags: ["--registry-filters", "("], says: /registry-filters/ },
    "a socket that is not there": {
      flags: ["--containerd-sock", `${certs}/none.sock`],
      says: /none\.sock/,
    },
  };
  for (const [what, { flags, says }] of Object.entries(cases)) {
    await step(`refused: ${what}`, async () => {
      const { code, stderr, stdout } = await agent.command("agent", flags);
      assert.equal(code, 2, stderr);
      const lines = `${stdout}${stderr}`.trimEnd().split("\n");
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines[0] ?? "", says);
      assert.deepEqual(await readTree(certs), original, "certs.d");
    });
  }
}

interface Refusal {
  readonly made: ContainerdDeviations;
  readonly flags?: readonly string[];
  readonly says: RegExp;
}

/** A containerd that would never use the mirror, or have nothing to share, is noticed. */
async function badContainerdCases(
  { agent, containerd }: LabNode,
  step: Case,
  original: Tree,
): Promise<void> {
  const cases: Record<string, Refusal> = {
    "containerd reads another directory": {
      made: { registryConfigPath: "/nowhere/certs.d" },
      says: /config_path = .*config\.toml/,
    },
    "containerd discards layers": {
      made: { discardUnpackedLayers: true },
      flags: ["--keep-layers", "never"],
      says: /discard_unpacked_layers = false .*config\.toml/,
    },
  };
  for (const [what, { made, flags = [], says }] of Object.entries(cases)) {
    await step(`refused: ${what}`, async () => {
      await containerd.stop();
      await containerd.start(made);
      const { code, stderr } = await agent.runToEnd(flags);
      assert.equal(code, 2, stderr);
      assert.match(stderr.trimEnd().split("\n").at(-1) ?? "", says);
      assert.deepEqual(await readTree(containerd.certsPath), original, "certs.d");
      await containerd.stop();
      await containerd.start();
    });
  }
}

/** The user's own configuration is merged with, backed up and restored. */
async function hostsCases({ agent, containerd }: LabNode, step: Case, original: Tree) {
  const certs = containerd.certsPath;

  await step("configure --dry-run shows a diff and writes nothing", async () => {
    const { code, stdout, stderr } = await agent.command("configure", ["--dry-run"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\+.*5000/m);
    assert.deepEqual(await readTree(certs), original);
  });

  await step("the agent merges what the user wrote and keeps a copy", async () => {
    await agent.start();
    const now = await readTree(certs);
    const merged = now[`${UPSTREAM}/hosts.toml`] ?? "";
    const hosts = [...merged.matchAll(/^\s*\[host\.['"]?([^'"\]]+)['"]?\]/gm)].map(([, h]) => h);
    assert.equal(hosts.length, 2, merged);
    assert.equal(hosts[1], `http://${UPSTREAM}`, merged);
    assert.match(merged, /server = ['"]http:\/\/registry\.test:5000['"]/);
    assert.equal(now[`${UPSTREAM}/ca.crt`], "the user's own file\n");
    assert.ok(now["_default/hosts.toml"] !== undefined, Object.keys(now).join(" "));
    assert.equal(now[`_backup/${UPSTREAM}/hosts.toml`], USER_HOSTS_TOML);
    await agent.stop();
    await agent.start();
    assert.deepEqual(await readTree(certs), now, "a second start changes no byte");
    await agent.stop();
  });

  await step("cleanup leaves the node as it was found", async () => {
    const { code, stderr } = await agent.command("cleanup");
    assert.equal(code, 0, stderr);
    assert.deepEqual(await readTree(certs), original);
  });
}

/** Alone is healthy; how long the start takes and what the idle agent needs is reported. */
async function startUp({ agent }: LabNode, { name }: ContainerdRelease): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    times.push(await agent.start());
    if (i < STARTS - 1) await agent.stop();
  }
  times.sort((a, b) => a - b);
  const median = ((times[STARTS / 2 - 1] ?? 0) + (times[STARTS / 2] ?? 0)) / 2;
  report(`containerd ${name}: start to ready, median of ${STARTS}: ${median.toFixed(0)} ms`);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  report(`containerd ${name}: idle RSS ${(await agent.process.rssMib()).toFixed(0)} MiB`);
  assert.equal((await agent.request("/readyz")).status, 200);
  assert.equal((await agent.request("/livez")).status, 200);
}
