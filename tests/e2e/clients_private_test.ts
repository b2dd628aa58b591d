import assert from "node:assert/strict";
import { USER } from "./lab/auth/token_authentication.ts";
import {
  CLIENT_TOOLS,
  clientsOf,
  missingClients,
  REGISTRY,
  startNodes,
  toolsOf,
} from "./lab/clients/clients.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import { fromPeers } from "./lab/from_peers.ts";
import { createImage } from "./lab/image.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { writeSecrets } from "./lab/secrets.ts";
import { until } from "./lab/until.ts";

const NAME = "closed/app:v1";
const { current } = containerdReleases();

const files = await writeSecrets();
addEventListener("unload", () => files[Symbol.dispose]());

await labSuite(
  "clients of every kind pull a private image with credentials",
  {
    id: "clientsp",
    releases: [current, current],
    flags: ["--cluster-key-file", files.clusterKey],
    authenticated: true,
    withoutAgents: true,
    tools: CLIENT_TOOLS,
    lacking: await missingClients(),
  },
  async (lab, step) => {
    await startNodes(lab);
    const [n1, n2] = [lab.node(1), lab.node(2)];
    const image = createImage({ seed: "private", layerBytes: [300_000, 900_000] });
    await lab.upstream.add(image, "closed/app", "v1");
    await n1.containerd.fetch(`${REGISTRY}/${NAME}`, { secret: USER });
    await until(async () => {
      const advertised = (await n1.agent.metrics()).sum("eddy_advertised_digests");
      return advertised >= image.pulled.length;
    }, { what: "n1 to advertise it" });
    const clients = clientsOf(lab, n2, await toolsOf(lab, n2.host));
    const fromUpstream = async () =>
      (await lab.upstream.downloads()).filter(({ client, path, status }) =>
        client === n2.host.address && status < 400 && path.includes("/closed/app/blobs/")
      ).length;

    for (const client of ["podman", "skopeo"] as const) {
      await step(`${client} shows Eddy none, and goes to the registry`, async () => {
        const before = await fromUpstream();
        assert.equal(await clients[client](NAME, USER), image.root.digest);
        assert.ok(await fromUpstream() >= before + image.layers.length);
      });
    }

    await step("crane shows them to Eddy, and gets it from the peer", async () => {
      const before = await fromUpstream();
      assert.equal(await clients.crane(NAME, USER), image.root.digest);
      assert.equal(await fromUpstream(), before);
    });

    await step("ctr shows them to Eddy, and gets it from the peer", async () => {
      const before = await fromUpstream();
      await fromPeers(n2, image, async () => {
        assert.equal(await clients.ctr(NAME, USER), image.root.digest);
      });
      assert.equal(await fromUpstream(), before);
    });
  },
);
