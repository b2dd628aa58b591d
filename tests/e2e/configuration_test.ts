import assert from "node:assert/strict";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import { USER_HOSTS_TOML } from "./lab/lab.ts";
import { readTree } from "./lab/read_tree.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { report } from "./lab/report.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const { old, current } = containerdReleases();
/** Starts whose median is reported. */
const STARTS = 10;

for (const release of [old, current] satisfies ContainerdRelease[]) {
  await labSuite(
    `a lone node's configuration, containerd ${release.name}`,
    { id: `conf-${release.name}`, releases: [release], withoutAgents: true },
    async (lab, step) => {
      const { agent, containerd } = lab.node(1);
      const certs = containerd.certsPath;
      await Deno.writeTextFile(`${certs}/${UPSTREAM}/ca.crt`, "the user's own file\n");
      const original = await readTree(certs);

      const refusals: Record<string, { flags: string[]; says: RegExp }> = {
        "an address that is none": {
          flags: ["--registry-addr", "nonsense"],
          says: /registry-addr/,
        },
        "an unknown flag": { flags: ["--no-such-flag", "x"], says: /no-such-flag/ },
        "a bad regular expression": {
          flags: ["--registry-filters", "("],
          says: /registry-filters/,
        },
        "a socket that is not there": {
          flags: ["--containerd-sock", `${certs}/none.sock`],
          says: /none\.sock/,
        },
      };
      for (const [what, { flags, says }] of Object.entries(refusals)) {
        await step(`refused: ${what}`, async () => {
          const { code, stderr, stdout } = await agent.command("agent", flags);
          assert.equal(code, 2, stderr);
          const lines = `${stdout}${stderr}`.trimEnd().split("\n");
          assert.equal(lines.length, 1, lines.join("\n"));
          assert.match(lines[0] ?? "", says);
          assert.deepEqual(await readTree(certs), original, "certs.d");
        });
      }

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
        const hosts = [...merged.matchAll(/^\s*\[host\.['"]?([^'"\]]+)['"]?\]/gm)].map(([, h]) =>
          h
        );
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

      await step("a lone node gets ready", async () => {
        const times: number[] = [];
        for (let i = 0; i < STARTS; i++) {
          times.push(await agent.start());
          if (i < STARTS - 1) await agent.stop();
        }
        times.sort((a, b) => a - b);
        const median = ((times[STARTS / 2 - 1] ?? 0) + (times[STARTS / 2] ?? 0)) / 2;
        report(
          `containerd ${release.name}: start to ready, median of ${STARTS}: ${
            median.toFixed(0)
          } ms`,
        );
        await new Promise((resolve) => setTimeout(resolve, 5000));
        report(
          `containerd ${release.name}: idle RSS ${(await agent.process.rssMib()).toFixed(0)} MiB`,
        );
        assert.equal((await agent.request("/readyz")).status, 200);
        assert.equal((await agent.request("/livez")).status, 200);
      });
    },
  );
}
