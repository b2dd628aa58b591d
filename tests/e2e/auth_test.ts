import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import { fromPeers } from "./lab/from_peers.ts";
import { httpRequest } from "./lab/http_request.ts";
import type { Image } from "./lab/image.ts";
import type { LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { until } from "./lab/until.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const LAYERS = [300_000, 2_000_000];
const SECRETS = `${Deno.env.get("TMPDIR") ?? "/tmp"}/eddy-e2e-secrets-${Deno.pid}`;
const OLD = "the old password";
const NEW = "the new password";

const { old, current } = containerdReleases();

await labSuite(
  "basic authentication of containerd and peers",
  {
    id: "auth",
    releases: [old, current],
    flags: ["--basic-auth-dir", SECRETS],
    withoutAgents: true,
  },
  async (lab, step) => {
    const [n1, n2] = [lab.node(1), lab.node(2)];
    try {
      await Deno.mkdir(SECRETS, { recursive: true, mode: 0o700 });
      await Deno.writeTextFile(`${SECRETS}/username`, "eddy");
      await Deno.writeTextFile(`${SECRETS}/password`, `${OLD}\n`);
      for (const { agent } of lab.nodes) await agent.start();
      await lab.untilKnown(1);

      await step("nobody without credentials is served, probes are answered", async () => {
        for (const url of ["http://127.0.0.1:5000", `http://${n2.host.address}:5000`]) {
          assert.equal((await httpRequest(n2.host, `${url}/v2/`)).status, 401);
          assert.equal((await httpRequest(n2.host, `${url}/readyz`)).status, 200);
        }
        const answer = await httpRequest(
          n1.host,
          `http://${n2.host.address}:5000/v2/a/manifests/1`,
          {
            headers: { "X-Spegel-Mirrored": "true" },
          },
        );
        assert.equal(answer.status, 401);
        assert.equal(JSON.parse(answer.body).errors[0].code, "UNAUTHORIZED");
      });

      await step("the files that have them are for their owner alone", async () => {
        for (const node of lab.nodes) {
          for (const folder of [UPSTREAM, "_default"]) {
            const { mode, text } = await hosts(node, folder);
            assert.equal(mode, 0o600, `${node.host.name} ${folder}`);
            assert.ok(text.includes(header(OLD)));
          }
        }
      });

      for (const [holder, other] of [[n1, n2], [n2, n1]] as const) {
        await step(`${other.host.name} pulls from ${holder.host.name}`, async () => {
          const name = `auth/${holder.host.name}`;
          const { reference, image } = await publish(lab, name, { layerBytes: LAYERS });
          await fetchAndAdvertise(holder, reference, image);
          await untilPublic(holder, other, name);
          await lab.upstream.stop();
          await fromPeers(other, image, () => other.containerd.fetch(reference));
          await lab.upstream.start();
        });
      }

      await step("new credentials are taken over without a break", async () => {
        const { reference, image } = await publish(lab, "auth/new", { layerBytes: LAYERS });
        await fetchAndAdvertise(n1, reference, image);
        await untilPublic(n1, n2, "auth/new");
        await Deno.writeTextFile(`${SECRETS}/password`, NEW);
        const { elapsedMs } = await until(async () => {
          const texts = await Promise.all(lab.nodes.map((node) => hosts(node, UPSTREAM)));
          return texts.every(({ text, mode }) => mode === 0o600 && text.includes(header(NEW)));
        }, { what: "containerd to be told" });
        report(`new credentials are in both nodes' hosts.toml after ${elapsedMs.toFixed(0)} ms`);
        await lab.upstream.stop();
        await fromPeers(n2, image, () => n2.containerd.fetch(reference));
        await lab.upstream.start();
      });

      await step("they are not shown anywhere", async () => {
        const { code, stdout, stderr } = await n2.agent.command("cleanup", ["--dry-run"]);
        assert.equal(code, 0, stderr);
        const seen = [
          stdout,
          stderr,
          ...await Promise.all(lab.nodes.map(({ agent }) => agent.log())),
        ]
          .map((part) => JSON.stringify(part)).join();
        for (const secret of [OLD, NEW, header(OLD), header(NEW)]) {
          assert.ok(!seen.includes(secret));
        }
        assert.match(stdout, /Authorization = "\(secret\)"/);
      });

      await step("cleanup leaves none of them", async () => {
        for (const { agent } of lab.nodes) {
          await agent.stop();
          assert.equal((await agent.command("cleanup")).code, 0);
        }
        for (const node of lab.nodes) {
          const { mode, text } = await hosts(node, UPSTREAM);
          assert.equal(mode, 0o644);
          assert.ok(!text.includes("Authorization"));
        }
      });
    } finally {
      await Deno.remove(SECRETS, { recursive: true }).catch(() => {});
    }
  },
);

function header(password: string): string {
  return btoa(`eddy:${password}`);
}

async function hosts({ containerd }: LabNode, folder: string) {
  const path = `${containerd.certsPath}/${folder}/hosts.toml`;
  const { mode } = await Deno.stat(path);
  return { mode: (mode ?? 0) & 0o777, text: await Deno.readTextFile(path) };
}

/** Pulls, and waits until all of it is advertised; to ask for it would need credentials. */
async function fetchAndAdvertise(node: LabNode, reference: string, image: Image): Promise<void> {
  const advertised = async () => (await node.agent.metrics()).sum("eddy_advertised_digests");
  const before = await advertised();
  await node.containerd.fetch(reference);
  await until(async () => await advertised() >= before + image.pulled.length, {
    what: `${node.host.name} to advertise what it pulled`,
  });
}

/** Waits until a node knows of an image that it is anybody's: upstream may have been away until now. */
async function untilPublic(holder: LabNode, other: LabNode, repository: string): Promise<void> {
  const url = `http://${holder.host.address}:5000/v2/${repository}/manifests/v1?ns=${UPSTREAM}`;
  const headers = { "x-spegel-mirrored": "true", authorization: `Basic ${header(OLD)}` };
  await until(async () => (await httpRequest(other.host, url, { headers })).status === 200, {
    what: `${holder.host.name} to know that ${repository} is public`,
    timeoutMs: 60_000,
  });
}
