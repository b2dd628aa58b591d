import assert from "node:assert/strict";
import { join } from "node:path";
import { familiesOf, samplesOf } from "../observability/exposition.ts";
import { TokenRegistry } from "../upstream/token_registry.ts";
import { LiveCluster } from "../support/live_cluster.ts";

const IMAGE = "registry.example/shop/api:2.1";
const SMALL = "registry.example/shop/config:1";

/** What happens on every node sooner or later. */
async function keepBusy(cluster: LiveCluster, upstream: TokenRegistry): Promise<void> {
  const [first, second] = cluster.nodes;
  await cluster.addImage(0, IMAGE, [3e6, 9e6]);
  await cluster.addImage(0, SMALL, [2000]);
  await cluster.addImage(1, "docker.io/library/redis:7", [4000]);
  const ask = async (agent: typeof first, path: string) =>
    await (await fetch(`${agent?.agent.url}${path}`)).arrayBuffer().catch(() => {});
  const small = await cluster.measured(1, SMALL);
  for (const { digest } of (await cluster.measured(1, IMAGE)).pieces.slice(1)) {
    await ask(second, `/v2/shop/api/blobs/${digest}?ns=registry.example`);
  }
  await ask(second, "/v2/library/redis/manifests/7?ns=docker.io");
  await ask(second, "/v2/library/nothing/manifests/1?ns=docker.io");
  await cluster.measured(0, "docker.io/library/redis:7");
  // A tag that upstream has moved, and one while upstream is away.
  const moved = `${upstream.host}/open:v1`;
  await cluster.addImage(1, moved, [1000]);
  for (const tag of ["v1", "v1"]) {
    await ask(second, `/v2/open/manifests/${tag}?ns=${upstream.host}`);
  }
  upstream.fault = () => new Response(null, { status: 503 });
  await ask(second, `/v2/open/manifests/v2?ns=${upstream.host}`);
  // A peer whose disk lies: what it sends is noticed, and asked for elsewhere.
  const layer = small.pieces.at(-1)?.digest.split(":")[1] ?? assert.fail();
  await Deno.writeFile(join(first?.layout ?? "", "blobs/sha256", layer), new Uint8Array(2000));
  await ask(second, `/v2/shop/config/blobs/sha256:${layer}?ns=registry.example`);
  // And its own, which it sees when somebody asks for what is wrong.
  const own = "0".repeat(64);
  await Deno.writeFile(join(second?.layout ?? "", "blobs/sha256", own), new Uint8Array(4000));
  await ask(second, `/v2/library/redis/blobs/sha256:${own}?ns=docker.io`);
}

Deno.test({
  name: "metrics: each one that a node declares is set when the node is busy",
  // Timers of libp2p outlive an agent by a second.
  sanitizeOps: false,
  sanitizeResources: false,
}, async (t) => {
  await using upstream = new TokenRegistry({ open: ["open"] });
  // Names of other registries lead to it as well.
  const certs = await Deno.makeTempDir({ prefix: "eddy-certs-" });
  for (const index of [0, 1]) {
    const folder = `${certs}/${index}/_default`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/hosts.toml`, `server = "http://${upstream.host}"\n`);
  }
  await using cluster = await LiveCluster.start(2, (index) => [
    ...["--spegel-metrics", "--tag-policy", "verify"],
    ...["--containerd-registry-config-path", `${certs}/${index}`],
  ]);
  await keepBusy(cluster, upstream);
  const metrics = async () =>
    await (await fetch(`${cluster.nodes[1]?.agent.metricsUrl}/metrics`)).text();
  let text = await metrics();
  // Content is read again in the background.
  for (let look = 0; look < 200 && !text.includes("eddy_damaged_content 1"); look++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    text = await metrics();
  }
  const samples = [...samplesOf(text)];
  const families = familiesOf(text);
  assert.ok(families.size > 20, [...families].join());
  for (const family of families) {
    await t.step(family, () => {
      const own = samples.filter(([sample]) =>
        sample.replace(/\{.*/, "").replace(/_(bucket|sum|count)$/, "") === family ||
        sample.replace(/\{.*/, "") === family
      );
      assert.ok(own.length > 0, "it has no sample");
      // What counts requests under way goes back to zero.
      if (/in_?flight/.test(family)) return;
      assert.ok(own.some(([, value]) => value > 0), "it was never touched");
    });
  }
});
