import assert from "node:assert/strict";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import { publish } from "./lab/publish.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { report } from "./lab/report.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const LAYERS = [300_000, 400_000, 500_000];
/** Longer than the pause between two looks at the bootstrap list. */
const ACQUAINTANCE_LIMIT_MS = 120_000;
const { old, current } = containerdReleases();

for (const release of [old, current] satisfies ContainerdRelease[]) {
  await labSuite(
    `outages, containerd ${release.name}`,
    {
      id: `out-${release.name}`,
      releases: [release, release, release],
      flags: ["--unverified-tags", "auto"],
    },
    async (lab, step) => {
      await step("agents that start at the same time get to know each other", async () => {
        const elapsedMs = await lab.untilKnown(2, ACQUAINTANCE_LIMIT_MS);
        report(
          `containerd ${release.name}: three agents know each other ${
            elapsedMs.toFixed(0)
          } ms after all were ready`,
        );
      });
      await fallbackCases(lab, step, release);
      await restartCases(lab, step, release);
      await holdersGoneCases(lab, step, release);
    },
  );
}

/** A pull never fails because of Eddy. */
async function fallbackCases(lab: Lab, step: Case, { name }: ContainerdRelease): Promise<void> {
  const n1 = lab.node(1);

  for (const way of ["ctr", "CRI"]) {
    await step(`${way}: the agent is stopped, upstream is asked`, async () => {
      const { reference, image } = await publish(lab, `stopped-${way.toLowerCase()}`, {
        layerBytes: LAYERS,
      });
      const status = await n1.agent.stop();
      assert.equal(status?.code, 0, "exit code of the agent");
      const start = performance.now();
      if (way === "ctr") await n1.containerd.fetch(reference);
      else await n1.containerd.cri.pull(reference);
      report(
        `containerd ${name}: ${way}: pull with the agent stopped ${
          (performance.now() - start).toFixed(0)
        } ms`,
      );
      assert.deepEqual(await n1.containerd.lacks(image), []);
    });
  }

  await step("the agent is frozen for a while: the pull waits and succeeds", async () => {
    const { reference, image } = await publish(lab, "frozen", { layerBytes: LAYERS });
    n1.agent.process.signal("SIGSTOP");
    const pull = n1.containerd.fetch(reference);
    const timer = setTimeout(() => n1.agent.process.signal("SIGCONT"), 3000);
    await pull.finally(() => clearTimeout(timer));
    assert.deepEqual(await n1.containerd.lacks(image), []);
  });
}

/** Restarts lose no image. */
async function restartCases(lab: Lab, step: Case, { name }: ContainerdRelease): Promise<void> {
  const [n1, n2] = [lab.node(1), lab.node(2)];

  await step("containerd is restarted under the agent", async () => {
    const earlier = await publish(lab, "earlier", { layerBytes: LAYERS });
    await n1.containerd.fetch(earlier.reference);
    await untilFindable(n2, earlier.image, { repository: "earlier", tag: "v1" });
    const { pid } = n1.agent.process;
    await n1.containerd.stop();
    const blob = `/v2/never/manifests/was?ns=${UPSTREAM}`;
    const { status, elapsedMs } = await n1.agent.request(blob);
    report(
      `containerd ${name}: request while containerd is away: status ${status} after ${
        elapsedMs.toFixed(0)
      } ms`,
    );
    assert.equal(status, 404);
    await n1.containerd.start();
    const later = await publish(lab, "later", { layerBytes: LAYERS });
    await n1.containerd.fetch(later.reference);
    const delay = await untilFindable(n2, later.image, { repository: "later", tag: "v1" });
    report(
      `containerd ${name}: pulled right after containerd's restart: findable after ${
        delay.toFixed(0)
      } ms`,
    );
    await untilFindable(n2, earlier.image, { repository: "earlier", tag: "v1" });
    assert.ok(n1.agent.running, "the agent lives on");
    assert.equal(n1.agent.process.pid, pid);
  });

  await step("the agent is restarted", async () => {
    const { image, reference } = await publish(lab, "again", { layerBytes: LAYERS });
    await n1.containerd.fetch(reference);
    await untilFindable(n2, image, { repository: "again", tag: "v1" });
    assert.equal((await n1.agent.stop())?.code, 0, "exit code of the agent");
    const readyMs = await n1.agent.start();
    const delay = await untilFindable(n2, image, { repository: "again", tag: "v1" });
    report(
      `agent ready ${readyMs.toFixed(0)} ms after its start, findable ${delay.toFixed(0)} ms later`,
    );
    await lab.upstream.stop();
    await n2.containerd.fetch(reference);
    assert.deepEqual(await n2.containerd.lacks(image), []);
  });
}

/** All who have an image are gone: a quick 404, so that the client goes on. */
async function holdersGoneCases(lab: Lab, step: Case, { name }: ContainerdRelease): Promise<void> {
  const holders = [lab.node(1), lab.node(2)];
  const n3 = lab.node(3);
  const ways: Record<string, (node: LabNode) => Promise<void> | void> = {
    "without a trace (links down)": ({ host }) => lab.network.setLink(host, "down"),
    "killed": ({ agent }) => agent.kill(),
    "frozen": ({ agent }) => agent.process.signal("SIGSTOP"),
  };
  for (const [index, [way, leave]] of Object.entries(ways).entries()) {
    await step(`all holders gone, ${way}`, async () => {
      const { image, reference, repository } = await publish(lab, `gone-${index}`, {
        layerBytes: LAYERS,
      });
      for (const { containerd } of holders) await containerd.fetch(reference);
      // n3 must not see the manifest now: it keeps manifests that it has verified for a while.
      await untilFindable(n3, image, { repository, blobsOnly: true });
      for (const holder of holders) await leave(holder);
      const paths = [
        // Manifests that were just looked at may still be served: they are kept for seconds.
        ...image.blobs.map(({ digest }) => `blobs/${digest}`),
        ...image.blobs.map(({ digest }) => `blobs/${digest}`),
      ];
      const times: string[] = [];
      for (const path of paths) {
        const answer = await n3.agent.request(`/v2/${repository}/${path}?ns=${UPSTREAM}`);
        times.push(answer.elapsedMs.toFixed(1));
        assert.equal(answer.status, 404, `${path} after ${answer.elapsedMs} ms`);
      }
      report(`containerd ${name}: all holders ${way}: 404 after ${times.join(", ")} ms`);
      await n3.containerd.fetch(reference);
      assert.deepEqual(await n3.containerd.lacks(image), [], "upstream serves what peers cannot");
    });
  }
}
