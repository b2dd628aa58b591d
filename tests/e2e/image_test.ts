import assert from "node:assert/strict";
import { Agent } from "./lab/agent.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import { fromPeers } from "./lab/from_peers.ts";
import { type ImageContainer, imageContainer } from "./lab/image_container.ts";
import type { Lab } from "./lab/lab.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { untilFindable } from "./lab/until_findable.ts";

const LAYERS = [300_000, 2_000_000];
const { old } = containerdReleases();
const archive = Deno.env.get("EDDY_IMAGE") ?? "";

await labSuite(
  "the container image is the agent of one node",
  {
    id: "image",
    releases: [old, old],
    withoutAgents: true,
    runsContainers: true,
    lacking: archive === "" ? ["an OCI archive of the image, which EDDY_IMAGE names"] : [],
  },
  async (lab, step) => {
    const { host, containerd } = lab.node(1);
    const container = await imageContainer(containerd, archive);
    const { directory, argv } = container;
    await using agent = new Agent({ host, containerd, directory, command: argv });
    await imageCases(lab, agent, container, step);
  },
);

async function imageCases(
  lab: Lab,
  agent: Agent,
  container: ImageContainer,
  step: Case,
): Promise<void> {
  const [n1, n2] = [{ ...lab.node(1), agent }, lab.node(2)];

  await step("it says its version", async () => {
    const { stdout } = await container.runOnce(["version"]);
    assert.match(stdout, /^eddy \d/);
  });

  await step("it starts with a read-only root and no capability", async () => {
    await Promise.all([agent.start(), n2.agent.start()]);
    const status = await container.processStatus();
    assert.equal(/^CapEff:\s+(\w+)/m.exec(status)?.[1], "0000000000000000");
    assert.equal(/^NoNewPrivs:\s+(\d)/m.exec(status)?.[1], "1");
    await lab.untilKnown(1, undefined, [n1, n2]);
  });

  await step("it serves a peer, and its containerd pulls from a peer through it", async () => {
    const a = await publish(lab, "held-by-image", { layerBytes: LAYERS });
    const b = await publish(lab, "held-by-peer", { layerBytes: LAYERS });
    await n1.containerd.cri.pull(a.reference);
    await n2.containerd.cri.pull(b.reference);
    await untilFindable(n2, a.image, { repository: a.repository, tag: "v1" });
    await untilFindable(n1, b.image, { repository: b.repository, tag: "v1" });
    const before = await lab.upstream.requests();
    await lab.upstream.stop();
    await fromPeers(n2, a.image, () => n2.containerd.cri.pull(a.reference));
    await fromPeers(n1, b.image, () => n1.containerd.cri.pull(b.reference));
    assert.deepEqual(await lab.upstream.requests(), before, "requests that upstream has seen");
    report(`container image: RSS ${(await container.rssMib()).toFixed(0)} MiB`);
  });

  await step("it ends on SIGTERM with code 0", async () => {
    const status = await agent.stop();
    assert.equal(status?.code, 0);
  });
}
