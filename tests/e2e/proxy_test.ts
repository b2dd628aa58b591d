import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import { fromPeers } from "./lab/from_peers.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { untilFindable } from "./lab/until_findable.ts";

const LAYERS = [300_000, 2_000_000];
/** Nobody listens there: whatever goes by this proxy fails. */
const NOWHERE = "http://127.0.0.1:9";
const PROXIES = {
  HTTP_PROXY: NOWHERE,
  HTTPS_PROXY: NOWHERE,
  http_proxy: NOWHERE,
  https_proxy: NOWHERE,
};
const { old, current } = containerdReleases();

await labSuite(
  "a proxy is set that does not answer, for all but the registry",
  {
    id: "proxy",
    releases: [old, current],
    withoutAgents: true,
    environment: { ...PROXIES, NO_PROXY: ".test" },
    flags: [
      ...["--http-bootstrap-addr", ":5002", "--bootstrap-kind", "http"],
      ...["--http-bootstrap-url", "http://eddy.test:5002/id"],
    ],
  },
  async (lab, step) => {
    const [n1, n2] = [lab.node(1), lab.node(2)];

    await step("nodes find each other by HTTP bootstrap", async () => {
      for (const { host, agent } of lab.nodes) {
        await lab.network.setName(host, "eddy.test", ["n1"]);
        await agent.start();
      }
      await lab.untilKnown(1);
    });

    for (const isUp of [true, false]) {
      await step(`a pull from a peer, upstream ${isUp ? "running" : "off"}`, async () => {
        const name = `proxy-${isUp}`;
        const { image, repository, reference } = await publish(lab, name, { layerBytes: LAYERS });
        await lab.upstream.start();
        await n1.containerd.fetch(reference);
        await untilFindable(n2, image, { repository, tag: "v1" });
        const before = await lab.upstream.downloads();
        if (!isUp) await lab.upstream.stop();
        await fromPeers(n2, image, () => n2.containerd.fetch(reference));
        assert.deepEqual(await lab.upstream.downloads(), before);
      });
    }

    await step("doctor finds nothing wrong", async () => {
      for (const { agent } of lab.nodes) {
        const { code, stdout, stderr } = await agent.command("doctor");
        assert.equal(code, 0, `${stdout}${stderr}`);
      }
    });
  },
);
