import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Case } from "../support/test.ts";
import {
  CLIENT_TOOLS,
  clientsOf,
  missingClients,
  type PullBy,
  REGISTRY,
  startNodes,
  toolsOf,
} from "./lab/clients/clients.ts";
import type { ContainersTools } from "./lab/clients/containers_tools.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import { httpRequest } from "./lab/http_request.ts";
import { createImage, type Image, randomBytes } from "./lab/image.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { until } from "./lab/until.ts";
import { writeLayout } from "./lab/write_layout.ts";

const MIB = 1024 * 1024;
const SMALL = [300_000, 2 * MIB];
/** More than what is verified before it is passed on. */
const LARGE = [40 * MIB];
const FILES = ["a", "b", "c", "d", "e", "f", "g", "h"];
/** The same files but for two. */
const CHANGED = FILES.map((seed) => seed === "c" || seed === "f" ? `${seed}2` : seed);
const FILE_BYTES = 512 * 1024;

/** What upstream says of an image. */
interface Held {
  readonly repository: string;
  readonly digest: string;
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

const { current } = containerdReleases();

await labSuite(
  "clients of every kind pull from a peer, upstream off",
  {
    id: "clients",
    releases: [current, current],
    withoutAgents: true,
    tools: CLIENT_TOOLS,
    lacking: await missingClients(),
  },
  async (lab, step) => {
    await startNodes(lab);
    const [n1, n2] = [lab.node(1), lab.node(2)];
    await publishAll(lab);
    const images = new Map<string, Held>();
    for (const repository of ["small", "digest", "large", "chunked", "changed"]) {
      const image = await askUpstream(lab, repository);
      images.set(repository, image);
      await n1.containerd.fetch(`${REGISTRY}/${repository}:v1`);
      await untilFound(n2, image);
    }
    await lab.upstream.stop();
    const tools = await toolsOf(lab, n2.host);
    const clients = clientsOf(lab, n2, tools);
    for (const [client, pull] of Object.entries(clients)) {
      await pullCases(n2, images, { client, pull, step });
      if (client === "podman") await partialCase(n2, images, { tools, step });
    }
  },
);

async function publishAll(lab: Lab): Promise<void> {
  const plain: Record<string, Image> = {
    small: createImage({ seed: "small", layerBytes: SMALL }),
    digest: createImage({ seed: "digest", layerBytes: SMALL }),
    large: createImage({ seed: "large", layerBytes: LARGE, plain: true }),
  };
  for (const [name, image] of Object.entries(plain)) await lab.upstream.add(image, name, "v1");
  const tools = await toolsOf(lab, lab.network.host("up"));
  for (const [name, fileSeeds] of Object.entries({ chunked: FILES, changed: CHANGED })) {
    const options = { seed: name, layerBytes: [FILE_BYTES], plain: true, fileSeeds };
    const layout = `${lab.directory}/${name}`;
    await writeLayout(layout, [{ name: `${REGISTRY}/${name}:v1`, image: createImage(options) }]);
    await tools.skopeoCopy(
      ["--dest-compress-format", "zstd:chunked", "--dest-tls-verify=false"],
      `oci:${layout}`,
      `docker://127.0.0.1:5000/${name}:v1`,
    );
  }
}

async function askUpstream(lab: Lab, repository: string): Promise<Held> {
  const url = `http://127.0.0.1:5000/v2/${repository}/manifests/v1`;
  const headers = { accept: "application/vnd.oci.image.manifest.v1+json" };
  const answer = await httpRequest(lab.network.host("up"), url, { headers });
  const { layers } = JSON.parse(answer.body);
  const digest = answer.headers.get("docker-content-digest") ?? assert.fail(answer.body);
  return { repository, digest, layers };
}

/** Waits until a node finds all of an image, by asking for headers only. */
async function untilFound({ host, agent }: LabNode, image: Held): Promise<void> {
  const { repository, digest, layers } = image;
  const paths = ["manifests/v1", `manifests/${digest}`, ...layers.map((l) => `blobs/${l.digest}`)];
  for (const path of paths) {
    const url = `/v2/${repository}/${path}?ns=${REGISTRY}`;
    await until(async () => (await agent.request(url, { head: true })).status === 200, {
      what: `${host.name} to find ${repository} ${path}`,
    });
  }
}

/** Answers to GET requests for the layers of an image, from the agent's log. */
async function answersOf({ agent }: LabNode, { layers }: Held) {
  return (await agent.log()).filter(({ method, path, registry }) =>
    method === "GET" && registry === REGISTRY &&
    layers.some(({ digest }) => String(path).endsWith(digest))
  );
}

async function pullCases(
  node: LabNode,
  images: ReadonlyMap<string, Held>,
  { client, pull, step }: { client: string; pull: PullBy; step: Case },
): Promise<void> {
  const cases = {
    "by tag": "small",
    "by digest": "digest",
    "with a large layer": "large",
    "in zstd:chunked": "chunked",
  };
  for (const [what, repository] of Object.entries(cases)) {
    await step(`${client}: an image ${what}`, async () => {
      const image = images.get(repository) ?? assert.fail(repository);
      const before = (await answersOf(node, image)).length;
      const name = what === "by digest" ? `${repository}@${image.digest}` : `${repository}:v1`;
      assert.equal(await pull(name), image.digest);
      const answers = (await answersOf(node, image)).slice(before);
      assert.deepEqual(answers.filter(({ status }) => status !== 200 && status !== 206), []);
      for (const { digest } of image.layers) {
        assert.ok(answers.some(({ path }) => String(path).endsWith(digest)), digest);
      }
    });
  }
}

/**
 * podman asks for a layer's table of contents, then for all ranges that it lacks at once: those it
 * gets by an answer that is whole.
 */
async function partialCase(
  node: LabNode,
  images: ReadonlyMap<string, Held>,
  { tools, step }: { tools: ContainersTools; step: Case },
): Promise<void> {
  await step("podman: what it lacks of an image in zstd:chunked", async () => {
    const image = images.get("changed") ?? assert.fail();
    assert.equal(await tools.podmanPull("changed:v1"), image.digest);
    const files = CHANGED.map((seed, index) => [`layer-0-${index}`, hashOf(seed)]);
    assert.deepEqual(await tools.podmanFiles("changed:v1"), Object.fromEntries(files));
    const answers = await answersOf(node, image);
    assert.ok(answers.some(({ status }) => status === 206), "the table of contents is a part");
  });
}

function hashOf(seed: string): string {
  return createHash("sha256").update(randomBytes(seed, FILE_BYTES)).digest("hex");
}
