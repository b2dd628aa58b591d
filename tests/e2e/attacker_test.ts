import assert from "node:assert/strict";
import { Attack } from "./lab/attacker/attack.ts";
import { Attacker } from "./lab/attacker/attacker.ts";
import { ATTEMPTS } from "./lab/attacker/attempts.ts";
import { Raid, TOKEN } from "./lab/attacker/raid.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import type { Lab } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { runCommand } from "./lab/run_command.ts";
import { findSecrets, writeSecrets } from "./lab/secrets.ts";

const { old, current } = containerdReleases();
const files = await writeSecrets({ withUpstream: true });
addEventListener("unload", () => files[Symbol.dispose]());

for (const withKey of [true, false]) {
  const release = withKey ? current : old;
  await labSuite(
    `an attacker in the network and the index, ${withKey ? "with" : "without"} a cluster key`,
    {
      id: `atk-${withKey ? "k" : "n"}`,
      releases: [release, release],
      flags: [
        // Upstream's word about a tag is to be old once it is away.
        ...["--tag-ttl", "1s"],
        ...["--docker-config", files.dockerConfig, "--registries-file", files.registries],
        ...(withKey ? ["--cluster-key-file", files.clusterKey] : []),
      ],
      authenticated: true,
      strangers: ["evil"],
    },
    async (lab, step) => {
      await using evil = await Attacker.start({
        host: lab.network.host("evil"),
        directory: `${lab.directory}/evil`,
        victims: lab.nodes.map(({ host }) => host),
      });
      await lab.untilKnown(2);
      await using trap = await startTrap(lab);
      await addRegistry(lab, `${evil.host.address}:5000`);
      const raid = new Raid({ lab, evil, clusterKey: withKey ? files.key : undefined });
      const attack = new Attack(raid, trap);
      for (const name of Object.keys(ATTEMPTS) as (keyof typeof ATTEMPTS)[]) {
        const { what, ...answers } = ATTEMPTS[name];
        await step(what, async () => {
          assert.equal(await attack[name](), withKey ? answers.withKey : answers.without);
        });
      }
      await step("no secret is in any log, metric, page, error or file of an agent", async () => {
        const tokens = [
          ...raid.signed,
          ...raid.seen.flatMap(({ headers }) => headers[TOKEN] ?? []),
        ];
        if (withKey) assert.ok(tokens.length > 5);
        const signatures = tokens.map((token) => [`token ${token}`, token.split(".")[2] ?? ""]);
        const secrets = { ...files.secrets, ...Object.fromEntries(signatures) };
        assert.deepEqual(await findSecrets(lab, secrets), []);
      });
    },
  );
}

/** Something on the first node, where a metadata service is too, that nobody elsewhere may have asked. */
async function startTrap(lab: Lab): Promise<Attacker> {
  const { host } = lab.node(1);
  await runCommand(["ip", "-n", host.namespace, "addr", "add", "169.254.169.254/32", "dev", "lo"]);
  const directory = `${lab.directory}/trap`;
  return await Attacker.start({ host, directory, address: "0.0.0.0", port: 7070 });
}

/** As an operator writes it for a registry without TLS. */
async function addRegistry(lab: Lab, registry: string): Promise<void> {
  for (const { containerd } of lab.nodes) {
    await Deno.mkdir(`${containerd.certsPath}/${registry}`, { recursive: true });
    const file = `${containerd.certsPath}/${registry}/hosts.toml`;
    await Deno.writeTextFile(file, `server = "http://${registry}"\n`);
  }
}
