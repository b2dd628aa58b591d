import assert from "node:assert/strict";
import { Attacker } from "../e2e/lab/attacker/attacker.ts";
import { credentialsIn, only } from "../e2e/lab/attacker/raid.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import { httpRequest } from "../e2e/lab/http_request.ts";
import { createImage, type Image } from "../e2e/lab/image.ts";
import type { Lab, LabNode } from "../e2e/lab/lab.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { until } from "../e2e/lab/until.ts";
import { Outsider } from "./lab/outsider.ts";
import { play } from "./play.ts";

const KEY = { name: "x-api-key", value: "let-me-in" };
const REGISTRY_PORT = 5080;
const REPOSITORY = "site/app";
const LAYERS = [300_000, 900_000];

const { old, current } = containerdReleases();
const files = await writeSecrets();
const basicAuthDir = await Deno.makeTempDir({ prefix: "eddy-e2e-basic-" });
await Deno.writeTextFile(`${basicAuthDir}/username`, "mirror");
await Deno.writeTextFile(`${basicAuthDir}/password`, "the mirror's own");
const OWN = { authorization: `Basic ${btoa("mirror:the mirror's own")}` };
addEventListener("unload", () => {
  files[Symbol.dispose]();
  Deno.removeSync(basicAuthDir, { recursive: true });
});

for (const withKey of [true, false]) {
  await labSuite(
    `hostile: credentials, ${withKey ? "with" : "without"} a cluster key`,
    {
      id: `crd-${withKey ? "k" : "n"}`,
      releases: withKey ? [current, current, current] : [old, old, old],
      flags: (name) => [
        ...(withKey ? ["--cluster-key-file", files.clusterKey] : []),
        ...(name === "n3" ? ["--basic-auth-dir", basicAuthDir] : []),
      ],
      strangers: ["evil"],
    },
    async (lab, step) => {
      await using evil = await Attacker.start({
        host: lab.network.host("evil"),
        directory: `${lab.directory}/evil`,
      });
      await play(step, "ownPassword", { withKey }, () => ownPassword(lab, evil));
      await play(step, "headerOnly", { withKey }, () => headerOnly(lab));
    },
  );
}

/** The node's containerd shows what Eddy has written into its hosts.toml, whatever a pod names. */
async function ownPassword(lab: Lab, evil: Attacker): Promise<string> {
  const node = lab.node(3);
  const registry = `${evil.host.address}:5000`;
  await writeHosts(node, registry, `server = "http://${registry}"\n`);
  const seen = [];
  for (const challenge of ['Basic realm="x"', `Bearer realm="http://${registry}/token"`]) {
    await evil.behave("challenge", { challenge });
    const repository = `team/${challenge.slice(0, 5).toLowerCase()}`;
    await node.agent.request(`/v2/${repository}/manifests/v1?ns=${registry}`, { headers: OWN });
    await node.containerd.cri.pull(`${registry}/${repository}:v1`).catch(() => {});
    const asked = await evil.seen();
    assert.ok(asked.some(({ path }) => path.includes(`/${repository}/manifests/v1`)));
    seen.push(...asked);
  }
  const shown = credentialsIn(seen);
  return shown === "no credentials" ? "asked, without any credentials" : `asked, with ${shown}`;
}

async function headerOnly(lab: Lab): Promise<string> {
  const { address } = lab.network.host("up");
  const registry = `${address}:${REGISTRY_PORT}`;
  const image = createImage({ seed: "header only", layerBytes: LAYERS });
  const directory = `${lab.directory}/keyed`;
  await Deno.mkdir(directory, { recursive: true });
  for (const { digest, content } of [...image.manifests, ...image.blobs]) {
    await Deno.writeFile(`${directory}/${digest}`, content);
  }
  await using _registry = await Outsider.start(lab.network.host("up"), directory, {
    registry: {
      ...{ hostname: address, port: REGISTRY_PORT, directory },
      ...{ header: KEY, root: image.root.digest },
    },
  });
  const hosts = `server = "http://${registry}"\n[host."http://${registry}"]\n` +
    `capabilities = ["pull", "resolve"]\n[host."http://${registry}".header]\n` +
    `${KEY.name} = "${KEY.value}"\n`;
  const [n1, n2] = [lab.node(1), lab.node(2)];
  for (const node of [n1, n2]) {
    await writeHosts(node, registry, hosts);
    await node.containerd.cri.pull(`${registry}/${REPOSITORY}:v1`);
    assert.deepEqual(await node.containerd.lacks(image), []);
  }
  const own = async () => (await n1.agent.request(pathsOf(image, registry)[0] ?? "")).status;
  await until(async () => await own() === 200, { what: "a node's own client to get it" });
  const stolen = await steal(lab, image, registry);
  return `${stolen}; a node's own client gets it`;
}

/** What somebody gets of an image that both nodes hold. */
async function steal(lab: Lab, image: Image, registry: string): Promise<string> {
  const evil = lab.network.host("evil");
  const answers = [];
  for (const { host } of [lab.node(1), lab.node(2)]) {
    for (const headers of [{}, { "x-spegel-mirrored": "true" }, { [KEY.name]: "guess" }]) {
      for (const path of pathsOf(image, registry)) {
        const url = `http://${host.address}:5000${path}`;
        answers.push(String((await httpRequest(evil, url, { headers })).status));
      }
    }
  }
  return only(answers.sort());
}

function pathsOf(image: Image, registry: string): string[] {
  const blobs = image.layers.map(({ digest }) => `blobs/${digest}`);
  return ["manifests/v1", `manifests/${image.root.digest}`, ...blobs]
    .map((target) => `/v2/${REPOSITORY}/${target}?ns=${registry}`);
}

async function writeHosts({ containerd }: LabNode, registry: string, text: string): Promise<void> {
  await Deno.mkdir(`${containerd.certsPath}/${registry}`, { recursive: true });
  await Deno.writeTextFile(`${containerd.certsPath}/${registry}/hosts.toml`, text);
}
