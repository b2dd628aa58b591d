import assert from "node:assert/strict";
import { USER } from "./lab/auth/token_authentication.ts";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import { fromPeers } from "./lab/from_peers.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish, type Published } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { findSecrets, writeSecrets } from "./lab/secrets.ts";
import { until } from "./lab/until.ts";
import { untilHolders } from "./lab/until_all_found.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const LAYERS = [300_000, 900_000];
const TAG_TTL_MS = 1000;
const WRONG = { username: USER.username, password: "something-else" };
const { old, current } = containerdReleases();

const files = await writeSecrets();
addEventListener("unload", () => files[Symbol.dispose]());

for (const release of [old, current] satisfies ContainerdRelease[]) {
  for (const withKey of [true, false]) {
    await labSuite(
      `upstream decides, peers deliver, containerd ${release.name}, ${
        withKey ? "with" : "without"
      } a cluster key`,
      {
        id: `prv-${release.name}${withKey ? "k" : ""}`,
        releases: [release, release, release],
        flags: [
          "--tag-ttl",
          `${TAG_TTL_MS}ms`,
          ...["--docker-config", files.dockerConfig, "--registries-file", files.registries],
          ...(withKey ? ["--cluster-key-file", files.clusterKey] : []),
        ],
        authenticated: true,
      },
      async (lab, step) => {
        await publicCases(lab, step, release);
        await privateCases(lab, step, withKey);
        await step("no secret is in any log, metric, page, error or file of an agent", async () => {
          assert.deepEqual(await findSecrets(lab, files.secrets), []);
        });
      },
    );
  }
}

/** Waits until a node advertises an image: its agent serves it to those who may have it. */
async function untilServed(node: LabNode, { image }: Published): Promise<void> {
  await until(async () => (await node.containerd.lacks(image)).length === 0, { what: "the pull" });
  await until(async () => {
    const advertised = (await node.agent.metrics()).sum("eddy_advertised_digests");
    return advertised >= image.pulled.length;
  }, { what: `${node.host.name} to advertise` });
}

/** GET requests for blobs of an image that upstream has seen from a node. */
async function blobsFromUpstream(lab: Lab, { host }: LabNode, { repository }: Published) {
  return (await lab.upstream.downloads())
    .filter(({ client }) => client === host.address)
    .filter(({ path, status }) => status < 400 && path.includes(`/${repository}/blobs/`));
}

async function publicCases(lab: Lab, step: Case, { name }: ContainerdRelease): Promise<void> {
  const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];

  await step("a public image needs no credentials, and comes from peers", async () => {
    const published = await publish(lab, "open/app", { layerBytes: LAYERS });
    await n1.containerd.cri.pull(published.reference);
    await untilServed(n1, published);
    await fromPeers(n2, published.image, () => n2.containerd.cri.pull(published.reference));
    assert.deepEqual(await blobsFromUpstream(lab, n2, published), []);
  });

  await step("a tag that moved is followed, its content comes from peers", async () => {
    const first = await publish(lab, "open/moving:latest", { layerBytes: LAYERS });
    await n1.containerd.cri.pull(first.reference);
    await untilServed(n1, first);
    await fromPeers(n2, first.image, () => n2.containerd.cri.pull(first.reference));
    const next = await publish(lab, "open/moving:latest", { layerBytes: LAYERS, seed: "next" });
    await new Promise((resolve) => setTimeout(resolve, TAG_TTL_MS));
    await n1.containerd.cri.pull(next.reference);
    await untilServed(n1, next);
    const before = performance.now();
    await fromPeers(n2, next.image, () => n2.containerd.cri.pull(next.reference));
    await fromPeers(n3, next.image, () => n3.containerd.cri.pull(next.reference));
    report(
      `containerd ${name}: moved tag on two nodes ${Math.round(performance.now() - before)} ms`,
    );
    for (const node of [n2, n3]) assert.deepEqual(await blobsFromUpstream(lab, node, next), []);
    // The same tag while upstream is away: what peers have, which is what it said last.
    await n2.containerd.remove(next.reference, next.image);
    await lab.upstream.stop();
    await fromPeers(n2, next.image, () => n2.containerd.cri.pull(next.reference));
  });

  await step("of several digests of a tag the newest is taken while upstream is off", async () => {
    const first = await publish(lab, "open/newest:latest", { layerBytes: LAYERS });
    await n1.containerd.cri.pull(first.reference);
    await untilServed(n1, first);
    const next = await publish(lab, "open/newest:latest", { layerBytes: LAYERS, seed: "newest" });
    await n2.containerd.cri.pull(next.reference);
    await untilServed(n2, next);
    await untilHolders(n3, next.reference, 2);
    await lab.upstream.stop();
    await fromPeers(n3, next.image, () => n3.containerd.cri.pull(next.reference));
    assert.ok((await n2.agent.metrics()).sum("eddy_stale_tags_total") > 0, "the first is stale");
    // The node that holds the older one takes the newer one as well, once upstream's word is old.
    await new Promise((resolve) => setTimeout(resolve, TAG_TTL_MS));
    await fromPeers(n1, next.image, () => n1.containerd.cri.pull(next.reference));
  });

  await step("a tag still pulls while upstream is off", async () => {
    const published = await publish(lab, "open/outage", { layerBytes: LAYERS });
    await n1.containerd.cri.pull(published.reference);
    await untilServed(n1, published);
    await lab.upstream.stop();
    await fromPeers(n2, published.image, () => n2.containerd.cri.pull(published.reference));
    const unverified = (await n2.agent.metrics()).sum("eddy_tags_resolved_total", {
      by: "unverified",
    });
    assert.ok(unverified > 0, "the tag is marked as unverified");
  });
}

/** After an outage upstream is not waited for until a question put beside has been answered. */
async function untilAsked({ host, agent }: LabNode): Promise<void> {
  const found = async () =>
    (await agent.metrics()).sum("eddy_upstream_requests_total", { outcome: "found" });
  const before = await found();
  await until(async () => {
    await agent.request(`/v2/open/app/manifests/v1?ns=${UPSTREAM}`);
    return await found() > before;
  }, { what: `${host.name} to ask upstream`, intervalMs: 500, timeoutMs: 90_000 });
}

async function privateCases(lab: Lab, step: Case, withKey: boolean): Promise<void> {
  const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];

  await step(
    "a private image with the right secret comes from peers that may serve it",
    async () => {
      for (const node of lab.nodes) await untilAsked(node);
      const published = await publish(lab, "closed/app", { layerBytes: LAYERS });
      await n1.containerd.cri.pull(published.reference, { auth: USER });
      await untilServed(n1, published);
      const pull = () => n2.containerd.cri.pull(published.reference, { auth: USER });
      if (withKey) {
        await fromPeers(n2, published.image, pull);
        assert.deepEqual(await blobsFromUpstream(lab, n2, published), []);
      } else {
        const before = await fetched(n2);
        await pull();
        assert.equal(await fetched(n2), before, "nothing private leaves a node without a key");
      }
      assert.deepEqual(await n2.containerd.lacks(published.image), []);
      for (const auth of [undefined, WRONG]) {
        const before = await fetched(n3);
        const options = auth === undefined ? {} : { auth };
        await assert.rejects(
          n3.containerd.cri.pull(published.reference, options),
          (error: unknown) => {
            Deno.writeTextFileSync("/tmp/chart-t/messages", `${JSON.stringify(auth)}: ${error}\n`, {
              append: true,
            });
            return true;
          },
          JSON.stringify(auth),
        );
        assert.equal(await fetched(n3), before, "no byte of it from a peer");
      }
      // Held here: whoever asks without the secret does not get it from the own node either.
      for (const auth of [undefined, WRONG]) {
        const options = auth === undefined ? {} : { auth };
        await assert.rejects(n1.containerd.cri.pull(published.reference, options));
      }
      await n1.containerd.cri.pull(published.reference, { auth: USER });
    },
  );

  await step("a private image while upstream is off: only for whom it just let in", async () => {
    const published = await publish(lab, "closed/outage", { layerBytes: LAYERS });
    await n1.containerd.cri.pull(published.reference, { auth: USER });
    await untilServed(n1, published);
    await lab.upstream.stop();
    const path = `/v2/closed/outage/manifests/v1?ns=${UPSTREAM}`;
    for (const [auth, expected] of [[USER, 200], [WRONG, 404], [undefined, 401]] as const) {
      const headers = auth &&
        { authorization: `Basic ${btoa(`${auth.username}:${auth.password}`)}` };
      const { status } = await n1.agent.request(path, headers === undefined ? {} : { headers });
      assert.equal(status, expected, JSON.stringify(auth));
    }
  });

  await step(
    "what only a peer knows to be private is not served while upstream is off",
    async () => {
      const published = await publish(lab, "closed/whispered", { layerBytes: LAYERS });
      await n1.containerd.cri.pull(published.reference, { auth: USER });
      await untilServed(n1, published);
      await lab.upstream.stop();
      const before = await fetched(n3);
      const { root, layers } = published.image;
      const targets = ["manifests/v1", `manifests/${root.digest}`, `blobs/${layers[0]?.digest}`];
      for (const auth of [USER, WRONG, undefined]) {
        const headers = auth &&
          { authorization: `Basic ${btoa(`${auth.username}:${auth.password}`)}` };
        for (const target of targets) {
          const path = `/v2/closed/whispered/${target}?ns=${UPSTREAM}`;
          const { status } = await n3.agent.request(path, headers === undefined ? {} : { headers });
          const denied = auth === undefined && withKey ? 401 : 404;
          assert.equal(status, denied, `${target} ${JSON.stringify(auth)}`);
        }
        const options = auth === undefined ? {} : { auth };
        await assert.rejects(n3.containerd.cri.pull(published.reference, options));
      }
      const log = await n3.agent.log();
      const handed = log.filter(({ path, status }) =>
        String(path).includes("/closed/whispered/") && Number(status) < 400
      );
      assert.deepEqual(handed, []);
      const sent = (await n1.agent.log()).filter(({ path, method, status }) =>
        String(path).includes("/closed/whispered/blobs/") && method === "GET" &&
        Number(status) < 400
      );
      assert.deepEqual(sent, [], "not even its agent gets a byte of a layer");
      report(
        `asked while upstream is off: ${(await fetched(n3)) - before} bytes of manifests moved`,
      );
    },
  );
}

async function fetched(node: LabNode): Promise<number> {
  return (await node.agent.metrics()).sum("eddy_fetched_bytes_total");
}
