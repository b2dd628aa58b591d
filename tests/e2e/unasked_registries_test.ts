import assert from "node:assert/strict";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import type { Case } from "../support/test.ts";
import { type Blocked, blockedAgent, type Cause, PUBLIC } from "./lab/blocked_agent.ts";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import { fromPeers } from "./lab/from_peers.ts";
import { httpRequest } from "./lab/http_request.ts";
import type { Lab } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish, type Published } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { until } from "./lab/until.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const LAYERS = [300_000, 400_000];
/** The same registry over TLS. */
const SECURE = "registry.test:5443";
const CAUSES: readonly Cause[] = ["refused", "silent", "unresolved", "certificate"];
const WARNING =
  "containerd reaches a registry that this agent cannot ask: tags are left to containerd";
/** containerd gives up a connection after 30 s where nobody refuses it. */
const RETRY_LIMIT_MS = 90_000;
const { old, current } = containerdReleases();

for (const release of [old, current] satisfies ContainerdRelease[]) {
  await labSuite(
    `registries that only containerd reaches, containerd ${release.name}`,
    {
      id: `una-${release.name}`,
      releases: [release, release],
      // What nobody could be asked about is anybody's, too.
      flags: PUBLIC,
      strangers: ["refuser"],
      withoutAgents: true,
      tools: ["unshare", "mount", "sed"],
      lacking: await missingOpenssl(),
    },
    async (lab, step) => {
      const authority = await Authority.make(`${lab.directory}/authority`);
      await authority.issue(`${lab.directory}/tls`, "registry.test");
      await lab.upstream.startSecure(`${lab.directory}/tls`);
      for (const { containerd } of lab.nodes) {
        await containerd.stop();
        await containerd.start({ trustedFile: `${lab.directory}/tls/ca.crt` });
      }
      await lab.node(1).agent.start();
      for (const cause of CAUSES) await blockedCase(lab, step, cause, release);
      await unchangedCase(lab, step);
      await trustedCase(lab, step);
      await outageCases(lab, step, release);
    },
  );
}

/** The agent on n2 cannot reach upstream, its containerd can: tags that moved are noticed. */
async function blockedCase(
  lab: Lab,
  step: Case,
  cause: Cause,
  { name }: ContainerdRelease,
): Promise<void> {
  await step(`${cause}: a tag that moved is pulled as it is now, others from peers`, async () => {
    const registry = cause === "certificate" ? SECURE : UPSTREAM;
    const at = ({ reference }: Published) => reference.replace(UPSTREAM, registry);
    const images: Published[] = [];
    for (const app of ["first", "second", "same"]) {
      const image = await publish(lab, `${cause}/${app}`, { layerBytes: LAYERS });
      await lab.node(1).containerd.cri.pull(at(image));
      images.push(image);
    }
    const [first, second, same] = images as [Published, Published, Published];
    await using node = await blockedAgent(lab, lab.node(2), cause);
    for (const { image, repository } of images) {
      await untilFindable(node, image, { repository, blobsOnly: true });
    }
    for (const { repository, reference } of [first, second]) {
      const moved = await publish(lab, repository, { layerBytes: LAYERS, seed: `${reference}/2` });
      const start = performance.now();
      await node.containerd.cri.pull(at(moved));
      report(
        `containerd ${name}: ${cause}: ${repository} pulled after ${
          (performance.now() - start).toFixed(0)
        } ms`,
      );
      assert.deepEqual(await node.containerd.lacks(moved.image), [], "the tag's content of now");
    }
    await fromPeers(node, same.image, () => node.containerd.cri.pull(at(same)));
    await saidOnce(node, registry);
  });
}

/** With the authorities that the node trusts the agent asks by itself. */
async function trustedCase(lab: Lab, step: Case): Promise<void> {
  await step("certificate: with --upstream-ca the agent asks upstream itself", async () => {
    const { image, reference } = await publish(lab, "trusted/app", { layerBytes: LAYERS });
    const flags = ["--upstream-ca", `${lab.directory}/tls/ca.crt`];
    await using node = await blockedAgent(lab, lab.node(2), "certificate", flags);
    await node.containerd.cri.pull(reference.replace(UPSTREAM, SECURE));
    assert.deepEqual(await node.containerd.lacks(image), []);
    const metrics = await node.agent.metrics();
    assert.ok(metrics.sum("eddy_tags_resolved_total", { by: "upstream" }) > 0);
    assert.equal(metrics.sum("eddy_upstream_requests_total", { outcome: "misconfigured" }), 0);
  });
}

/** The log has one warning, the doctor and the debug pages name the registry. */
async function saidOnce(node: Blocked, registry: string): Promise<void> {
  const warnings = (await node.agent.log()).filter(({ msg }) => msg === WARNING);
  assert.deepEqual(warnings.map((line) => line["registry"]), [registry]);
  assert.deepEqual(await unasked(node), [[registry, "reaches"]]);
  const { stdout, code } = await node.agent.command("doctor");
  assert.notEqual(code, 0);
  assert.match(stdout, new RegExp(`✗ tags .*containerd reaches ${registry}`));
}

/** The registries that an agent cannot ask, and whether its containerd reaches them. */
async function unasked({ host }: Blocked): Promise<unknown[][]> {
  const { body } = await httpRequest(host, "http://127.0.0.1:9090/debug/api/overview");
  const { unaskedRegistries } = JSON.parse(body);
  return unaskedRegistries.map((each: Record<string, unknown>) => [
    each["registry"],
    each["runtime"],
  ]);
}

/** A tag that did not move: no content is asked for, and only the record of its image tells. */
async function unchangedCase(lab: Lab, step: Case): Promise<void> {
  await step("a pull that needs nothing shows that containerd reaches upstream, too", async () => {
    const { reference } = await publish(lab, "unchanged/app", { layerBytes: LAYERS });
    await lab.node(2).containerd.cri.pull(reference);
    await using node = await blockedAgent(lab, lab.node(2), "refused");
    await node.containerd.cri.pull(reference);
    // It is looked for when the next tag is asked for.
    await node.agent.request(`/v2/unchanged/b/manifests/v1?ns=${UPSTREAM}`, { head: true });
    assert.deepEqual(await unasked(node), [[UPSTREAM, "reaches"]]);
  });
}

/** Upstream is off for everybody, and this agent never reached it. */
async function outageCases(lab: Lab, step: Case, { name }: ContainerdRelease): Promise<void> {
  const up = lab.network.host("up");
  const ways: Readonly<Record<string, () => Promise<void>>> = {
    "off": () => lab.upstream.stop(),
    // Where nobody refuses, containerd takes most of a minute: once is enough.
    ...(name === current.name
      ? { "off without a trace": () => lab.network.setLink(up, "down") }
      : {}),
  };
  for (const [index, [way, leave]] of Object.entries(ways).entries()) {
    await step(`upstream is ${way}: the first retry gets what peers have`, async () => {
      const images: Published[] = [];
      for (const app of ["first", "second"]) {
        const image = await publish(lab, `off-${index}/${app}`, { layerBytes: LAYERS });
        await lab.node(1).containerd.cri.pull(image.reference);
        images.push(image);
      }
      const [first, second] = images as [Published, Published];
      await leave();
      try {
        await using node = await blockedAgent(lab, lab.node(2), undefined);
        for (const { image, repository } of images) {
          await untilFindable(node, image, { repository, blobsOnly: true });
        }
        await fromPeers(node, first.image, async () => {
          const { elapsedMs } = await until(
            () => node.containerd.cri.pull(first.reference).then(() => true),
            { what: "a retry to succeed", timeoutMs: RETRY_LIMIT_MS, intervalMs: 1000 },
          );
          report(`containerd ${name}: upstream ${way}: pulled after ${elapsedMs.toFixed(0)} ms`);
        });
        await fromPeers(
          node,
          second.image,
          () => node.containerd.cri.pull(second.reference),
        );
      } finally {
        await lab.network.setLink(up, "up");
        await lab.upstream.start();
      }
    });
  }
}
