import assert from "node:assert/strict";
import { mapConcurrent } from "../../lib/async/map_concurrent.ts";
import { USER } from "../e2e/lab/auth/token_authentication.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import { fromPeers } from "../e2e/lab/from_peers.ts";
import { httpRequest } from "../e2e/lab/http_request.ts";
import type { Image } from "../e2e/lab/image.ts";
import type { Lab, LabNode } from "../e2e/lab/lab.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import { onHost } from "../e2e/lab/network.ts";
import { publish, type Published } from "../e2e/lab/publish.ts";
import { runCommand } from "../e2e/lab/run_command.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { until } from "../e2e/lab/until.ts";
import { untilFindable } from "../e2e/lab/until_findable.ts";
import { UPSTREAM } from "../e2e/lab/upstream.ts";
import { OCI_MANIFEST } from "../../lib/oci/media_type.ts";
import { testWith } from "../support/test.ts";
import { casesOf } from "../support/test.ts";
import { contentOf, LayoutNode, manifestOf, PEER, PlainOrigin } from "./layout_node.ts";
import { play } from "./play.ts";

const LAYERS = [300_000, 900_000];
const NAMES = 10_000;
const { old, current } = containerdReleases();
const files = await writeSecrets();
addEventListener("unload", () => files[Symbol.dispose]());

for (const withKey of [true, false]) {
  const release = withKey ? current : old;
  const how = withKey ? "with" : "without";
  await labSuite(
    `hostile: images that were pulled past Eddy, ${how} a cluster key`,
    {
      id: `acc-${withKey ? "k" : "n"}`,
      releases: [release, release],
      flags: withKey ? ["--cluster-key-file", files.clusterKey] : [],
      authenticated: true,
      strangers: ["evil"],
      withoutAgents: true,
    },
    async (lab, step) => {
      const [n1, n2] = [lab.node(1), lab.node(2)];
      const before = await publish(lab, "closed/before", { layerBytes: LAYERS });
      const unheard = await publish(lab, "closed/unheard", { layerBytes: LAYERS });
      const open = await publish(lab, "open/before", { layerBytes: LAYERS });
      for (const published of [before, unheard, open]) await pullPast(n1, published);
      await lab.upstream.stop();
      await n1.agent.start();
      await untilHeld(n1, before, unheard, open);
      await play(step, "pulledUnheard", { withKey }, () => steal(lab, n1, unheard));
      await lab.upstream.start();
      await play(step, "pulledBefore", { withKey }, () => steal(lab, n1, before));
      await play(step, "pulledPast", { withKey }, async () => {
        const past = await publish(lab, "closed/past", { layerBytes: LAYERS });
        await pullPast(n1, past);
        await untilHeld(n1, before, unheard, open, past);
        return await steal(lab, n1, past);
      });
      await play(step, "pulledPortless", { withKey }, () => stealLabelled(lab, n1));
      await play(step, "strangerNames", { withKey }, () => makeUpNames(lab, n1));
      await step(
        "public images travel while upstream is off, after a restart as well",
        async () => {
          await n2.agent.start();
          await lab.untilKnown(1);
          await until(async () => await ask(lab, n1, open, PEER) === "200", {
            what: "the holder to have asked about its image",
            intervalMs: 500,
          });
          // What it knows is written a few seconds later at the latest.
          await until(async () => {
            const file = `${n1.agent.dataDirectory}/private-repositories.json`;
            return (await Deno.readTextFile(file).catch(() => "")).includes("open/before");
          }, { what: "that to be written" });
          await lab.upstream.stop();
          await n1.agent.stop();
          await n1.agent.start();
          await lab.untilKnown(1);
          await untilFindable(n2, open.image, { repository: "open/before", tag: "v1" });
          await fromPeers(n2, open.image, () => n2.containerd.cri.pull(open.reference));
          assert.equal(await steal(lab, n1, before), "404");
        },
      );
    },
  );

  testWith([], `hostile: what a node may be made to forget, ${how} a cluster key`, async (t) => {
    const step = casesOf(t, { explain: () => Promise.resolve("") });
    const flags = withKey ? ["--cluster-key-file", files.clusterKey] : [];
    await play(step, "clientNames", { withKey }, () => clientNames(flags));
    await play(step, "crowdedDigest", { withKey }, () => crowdDigest(flags));
    await play(step, "manifestFlood", { withKey }, () => floodManifests(flags));
    await play(step, "listedSecrets", { withKey }, () => listSecrets(flags));
    await play(step, "loginPage", { withKey }, () => stealBehindPage(flags));
    await step("without any upstream, what is named public is served", async () => {
      await using node = await LayoutNode.make([...flags, "--public-images", "*.internal/*"]);
      const layer = contentOf("layer");
      for (const name of ["registry.internal/app:1", "registry.invalid/app:1"]) {
        await put(node, name, manifestOf([layer.digest], name), layer);
      }
      await node.start();
      const ask = (registry: string) => node.ask("app/manifests/1", registry, PEER);
      assert.equal(await ask("registry.internal"), 200);
      assert.equal(await ask("registry.invalid"), 404);
    });
  });
}

/** Pulls by containerd's own client, which knows of no mirror. */
async function pullPast({ containerd }: LabNode, { reference }: Published): Promise<void> {
  const user = `${USER.username}:${USER.password}`;
  await containerd.ctr(["content", "fetch", "--plain-http", "--user", user, reference]);
}

/** Waits until a node's agent knows that it holds these images. */
async function untilHeld(node: LabNode, ...images: readonly Published[]): Promise<void> {
  const count = images.reduce((sum, { image }) => sum + image.pulled.length, 0);
  await until(async () => (await node.agent.metrics()).sum("eddy_advertised_digests") >= count, {
    what: "the images to be known",
  });
}

/** What somebody gets who knows of all parts of an image. */
async function steal(lab: Lab, node: LabNode, published: Published): Promise<string> {
  const answers = new Set<string>();
  for (const headers of [PEER, {}]) {
    for (const what of partsOf(published.image)) {
      // More than once: the first may come before upstream has answered.
      for (let again = 0; again < 2; again++) {
        answers.add(await ask(lab, node, published, headers, what));
      }
    }
  }
  return [...answers].join(", ");
}

function partsOf({ root, blobs }: Image): string[] {
  return [
    "manifests/v1",
    `manifests/${root.digest}`,
    ...blobs.map(({ digest }) => `blobs/${digest}`),
    ...["tags/list", `referrers/${root.digest}`],
  ];
}

async function ask(
  lab: Lab,
  { host }: LabNode,
  { repository }: Published,
  headers: Readonly<Record<string, string>>,
  what = "manifests/v1",
): Promise<string> {
  const url = `http://${host.address}:5000/v2/${repository}/${what}?ns=${UPSTREAM}`;
  return String((await httpRequest(lab.network.host("evil"), url, { headers })).status);
}

/** Content that has a label and no image, as parts of a pull that is under way. */
async function stealLabelled(lab: Lab, node: LabNode): Promise<string> {
  const published = await publish(lab, "closed/labelled", { layerBytes: [100_000] });
  const [layer] = published.image.layers;
  assert.ok(layer);
  const file = `${lab.directory}/layer`;
  await Deno.writeFile(file, layer.content);
  const ctr = node.containerd.ctrArgv().join(" ");
  const ingest = `${ctr} content ingest --expected-digest ${layer.digest} labelled <${file}`;
  await runCommand(onHost(node.host, ["sh", "-c", ingest]));
  const [host] = UPSTREAM.split(":");
  await node.containerd.ctr([
    ...["content", "label", layer.digest, "containerd.io/gc.root=1"],
    `containerd.io/distribution.source.${host}=closed/labelled`,
  ]);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const answers = new Set<string>();
  for (const registry of [UPSTREAM, host]) {
    for (const headers of [PEER, {}]) {
      const url = `http://${node.host.address}:5000/v2/closed/labelled/blobs/${layer.digest}` +
        `?ns=${registry}`;
      const { status } = await httpRequest(lab.network.host("evil"), url, { headers });
      answers.add(String(status));
    }
  }
  return [...answers].join(", ");
}

/** Many requests by one client, as fast as it can. */
async function makeUpNames(lab: Lab, { host }: LabNode): Promise<string> {
  const asked = async () =>
    (await lab.upstream.requests()).filter(({ path }) => /made-up/.test(path));
  const answers = new Set<string>();
  for (const headers of [[], ["-H", "x-spegel-mirrored: true"]]) {
    const url = `http://${host.address}:5000/v2/made-up[1-${
      NAMES / 2
    }]/manifests/v1?ns=${UPSTREAM}`;
    const { stdout } = await runCommand(
      onHost(lab.network.host("evil"), [
        ...["curl", "-s", "--noproxy", "*", "--max-time", "100", ...headers],
        ...["-o", "/dev/null", "-w", "%{http_code}\n", url],
      ]),
      { timeoutMs: 120_000 },
    );
    const statuses = stdout.trim().split("\n");
    assert.equal(statuses.length, NAMES / 2);
    for (const status of statuses) answers.add(status);
  }
  const questions = (await asked()).length;
  return `${[...answers].join(", ")}; upstream is ${questions === 0 ? "not asked" : "asked"}`;
}

/** A private image that the node knows to be private, and a flood of names by its own client. */
async function clientNames(flags: readonly string[]): Promise<string> {
  await using origin = new PlainOrigin();
  await using node = await LayoutNode.make([...flags, "--mirrored-registries", origin.host]);
  const layer = contentOf("a secret");
  const { manifest } = await put(
    node,
    `${origin.host}/team/secret:1`,
    manifestOf([layer.digest], "secret"),
    layer,
  );
  await node.start();
  await node.untilHeld(3);
  // It is asked for credentials, so it is known to be private.
  assert.equal(await node.ask("team/secret/manifests/1", origin.host), 401);
  const names = Array.from({ length: NAMES + 500 }, (_, index) => `public/made-up${index}`);
  await mapConcurrent(names, 50, (name) => node.ask(`${name}/manifests/1`, origin.host));
  await origin.stop();
  return await stealLayer(node, origin, "team/secret", manifest.digest, layer.digest);
}

async function crowdDigest(flags: readonly string[]): Promise<string> {
  await using origin = new PlainOrigin();
  await using node = await LayoutNode.make([...flags, "--mirrored-registries", origin.host]);
  const layer = contentOf("another secret");
  const decoy = manifestOf([layer.digest], "decoy");
  origin.public.set("1", decoy.manifest).set(decoy.manifest.digest, decoy.manifest);
  await put(node, `${origin.host}/public/decoy:1`, decoy);
  await node.start();
  await node.untilHeld(2);
  assert.equal(await node.ask("public/decoy/manifests/1", origin.host), 200);
  for (let index = 0; index < 40; index++) {
    await node.ask(`public/x${index}/manifests/${decoy.manifest.digest}`, origin.host, PEER);
  }
  const secret = manifestOf([layer.digest], "secret");
  await put(node, `${origin.host}/team/secret:1`, secret, layer);
  await node.untilHeld(5);
  assert.equal(await node.ask("team/secret/manifests/1", origin.host), 401);
  const status = await node.ask(`public/decoy/blobs/${layer.digest}`, origin.host, PEER);
  return `${status}`;
}

async function floodManifests(flags: readonly string[]): Promise<string> {
  await using origin = new PlainOrigin();
  await using node = await LayoutNode.make([...flags, "--mirrored-registries", origin.host]);
  const layer = contentOf("a third secret");
  const secret = manifestOf([layer.digest], "secret");
  await put(node, `${origin.host}/team/secret:1`, secret, layer);
  const floods = Array.from({ length: 49 }, (_, index) =>
    manifestOf(
      Array.from({ length: 4096 }, (_, child) => contentOf(`${index} ${child}`).digest),
      `flood ${index}`,
    ));
  for (const [index, flood] of floods.entries()) {
    origin.public.set(String(index), flood.manifest).set(flood.manifest.digest, flood.manifest);
    await put(node, `${origin.host}/public/flood:${index}`, flood);
  }
  await node.start();
  await node.untilHeld(3 + 2 * floods.length);
  assert.equal(await node.ask("team/secret/manifests/1", origin.host), 401);
  assert.equal(await node.ask("public/flood/manifests/0", origin.host), 200);
  for (const { manifest } of floods) {
    const path = `public/flood/manifests/${manifest.digest}`;
    assert.equal(await node.ask(path, origin.host, PEER), 200);
  }
  return await stealLayer(node, origin, "public/flood", secret.manifest.digest, layer.digest);
}

/** The content is anybody's, its names in the private repository are not. */
async function listSecrets(flags: readonly string[]): Promise<string> {
  await using origin = new PlainOrigin();
  await using node = await LayoutNode.make([...flags, "--mirrored-registries", origin.host]);
  const image = manifestOf([], "image");
  const subject = { mediaType: OCI_MANIFEST, digest: image.manifest.digest, size: 1 };
  const about = { ...JSON.parse(new TextDecoder().decode(image.manifest.bytes)), subject };
  const signature = { ...image, manifest: contentOf(JSON.stringify(about)) };
  for (const { manifest } of [image, signature]) origin.public.set(manifest.digest, manifest);
  origin.public.set("1", image.manifest);
  for (const [repository, tag] of [["public/app", "1"], ["team/secret", "plan"]] as const) {
    await put(node, `${origin.host}/${repository}:${tag}`, image);
    await put(node, `${origin.host}/${repository}@${signature.manifest.digest}`, signature);
  }
  await node.start();
  await node.untilHeld(3);
  const lists = ["tags/list", `referrers/${image.manifest.digest}`];
  const ask = (target: string) => node.ask(target, origin.host, PEER);
  for (const target of [`manifests/${image.manifest.digest}`, ...lists]) {
    await until(async () => await ask(`public/app/${target}`) === 200, {
      what: `${target} of the public repository to be told`,
      intervalMs: 200,
    });
  }
  assert.equal(await ask(`team/secret/manifests/${image.manifest.digest}`), 200);
  const answers = new Set<number>();
  for (const list of lists) answers.add(await ask(`team/secret/${list}`));
  // The same as a client of the node who has no credentials.
  for (const list of lists) {
    assert.equal(await node.ask(`team/secret/${list}`, origin.host), 401);
  }
  return [...answers].join(", ");
}

/** Gateways before registries have pages and errors for those whom they do not know. */
async function stealBehindPage(flags: readonly string[]): Promise<string> {
  const answers = new Set<number>();
  const gateways = [
    () => new Response(null, { status: 302, headers: { location: "/login" } }),
    () => Response.json({ error: "who are you?" }),
  ];
  for (const answer of gateways) {
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ url }) => {
        const type = { headers: { "content-type": "text/html" } };
        return new URL(url).pathname === "/login" ? new Response("<html>", type) : answer();
      },
    );
    const host = `127.0.0.1:${server.addr.port}`;
    await using node = await LayoutNode.make([...flags, "--mirrored-registries", host]);
    const layer = contentOf("a fourth secret");
    const secret = manifestOf([layer.digest], "secret");
    await put(node, `${host}/team/secret:1`, secret, layer);
    await node.start();
    await node.untilHeld(3);
    for (const what of [`blobs/${layer.digest}`, "manifests/1"]) {
      // The first may come before there is an answer.
      for (let again = 0; again < 2; again++) {
        answers.add(await node.ask(`team/secret/${what}`, host, PEER));
      }
    }
  }
  return [...answers].join(", ");
}

/** Asks for a manifest and a layer as if it were a node. */
async function stealLayer(
  node: LayoutNode,
  { host }: PlainOrigin,
  repository: string,
  manifest: string,
  layer: string,
): Promise<string> {
  const answers = new Set<number>();
  for (const what of [`manifests/${manifest}`, `blobs/${layer}`]) {
    answers.add(await node.ask(`${repository}/${what}`, host, PEER));
  }
  return [...answers].join(", ");
}

/** Puts an image into a node's store. */
async function put<Image extends ReturnType<typeof manifestOf>>(
  { writer }: LayoutNode,
  name: string,
  image: Image,
  ...layers: readonly ReturnType<typeof contentOf>[]
): Promise<Image> {
  for (const { bytes, digest } of [image.config, ...layers]) await writer.putBlob(bytes, digest);
  await writer.putManifest(image.manifest.bytes, name);
  return image;
}
