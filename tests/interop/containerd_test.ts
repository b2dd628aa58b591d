import assert from "node:assert/strict";
import type { Containerd } from "../e2e/lab/containerd.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import { fromPeers } from "../e2e/lab/from_peers.ts";
import type { Lab, LabNode } from "../e2e/lab/lab.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import { publish, type Published } from "../e2e/lab/publish.ts";
import { UPSTREAM } from "../e2e/lab/upstream.ts";
import { untilFound } from "./lab/exchange.ts";
import { missingPeers } from "./lab/interop_suite.ts";
import { GO, spegel, spegelBinary } from "./lab/kinds.ts";
import { InteropNode } from "./lab/node.ts";
import { type NamedImage, writeLayout } from "../e2e/lab/write_layout.ts";

const LAYERS = [300_000, 2_000_000];
const BY_DNS = ["--bootstrap-kind", "dns", "--dns-bootstrap-domain", "eddy.test"];
const { current } = containerdReleases();
const binary = spegelBinary();
const other = binary === undefined ? "the Go node" : "Spegel";

await labSuite(
  `containerds behind Eddy and behind ${other} pull from each other`,
  {
    id: "ctrd",
    releases: [current, current],
    withoutAgents: true,
    lacking: await missingPeers(),
  },
  (lab, step) => pullCases(lab, step),
);

async function pullCases(lab: Lab, step: Case): Promise<void> {
  const [n1, n2] = [lab.node(1), lab.node(2)];
  const directory = n2.containerd.certsPath.replace(/certs\.d$/, "peer");
  const kind = binary === undefined ? GO : spegel(binary, n2.containerd);
  await using peer = new InteropNode(kind, n2.host, directory);
  const ours = await publish(lab, "held/by-eddy", { layerBytes: LAYERS, index: true });
  const theirs = await publish(lab, "held/by-peer", { layerBytes: LAYERS, index: true });

  await step("both are up, each with an image of its own", async () => {
    await n1.containerd.cri.pull(ours.reference);
    if (kind === GO) await writeLayout(`${directory}/layout`, [named(theirs)]);
    else await hold(n2, directory, theirs);
    await Promise.all([n1.agent.start(), peer.start(BY_DNS)]);
    await useMirror(n2.containerd);
    await untilFound(peer, named(ours));
  });

  await step(`by tag and digest behind Eddy, what ${other} holds, upstream off`, async () => {
    await lab.untilKnown(1, undefined, [n1]);
    await lab.upstream.stop();
    await fromPeers(n1, theirs.image, () => n1.containerd.cri.pull(theirs.reference));
    await n1.containerd.cri.pull(theirs.digestReference);
  });

  await step(`by tag and digest behind ${other}, what Eddy holds, upstream off`, async () => {
    await n2.containerd.cri.pull(ours.reference);
    await n2.containerd.cri.pull(ours.digestReference);
    assert.deepEqual(await n2.containerd.lacks(ours.image), []);
  });
}

/** Spegel makes tags known that were there when it started. */
async function hold(
  { containerd }: LabNode,
  directory: string,
  { reference }: Published,
): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  await containerd.fetch(reference);
}

/** Makes containerd ask the peer on its own node first. */
async function useMirror({ certsPath }: Containerd): Promise<void> {
  const lines = [
    `server = "http://${UPSTREAM}"`,
    `[host."http://127.0.0.1:5000"]`,
    `capabilities = ["pull", "resolve"]`,
    `[host."http://${UPSTREAM}"]`,
    `capabilities = ["pull", "resolve"]`,
  ];
  await Deno.writeTextFile(`${certsPath}/${UPSTREAM}/hosts.toml`, `${lines.join("\n")}\n`);
}

function named({ reference: name, image }: Published): NamedImage {
  return { name, image };
}
