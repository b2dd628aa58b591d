import assert from "node:assert/strict";
import { configuredEndpoints } from "../../lib/agent/upstream_endpoints.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { createUpstream } from "../../lib/upstream/create_upstream.ts";
import { MemoryLog } from "../fakes/log.ts";
import type { TestContext } from "../support/test.ts";
import { DIGEST, imageOf, ODD_REGISTRIES, type OddRegistry } from "./odd_registries.ts";
import { type ContainerdBinaries, RealContainerd, testEachContainerd } from "./real_containerd.ts";

const TAG = "1";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

function serve(odd: OddRegistry): Deno.HttpServer<Deno.NetAddr> {
  const { answer, change } = odd;
  const { contents, tagPath } = imageOf(odd);
  const digest = digestOf(contents.get(tagPath) ?? "");
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const url = new URL(request.url);
    const instead = answer?.(request, url);
    if (instead !== undefined) return withDigest(instead, digest);
    const content = contents.get(url.pathname);
    if (content === undefined) return new Response(null, { status: 404 });
    const headers = {
      "content-type": url.pathname.includes("/manifests/")
        ? MANIFEST_TYPE
        : "application/octet-stream",
      "content-length": String(content.length),
      "docker-content-digest": digestOf(content),
    };
    const response = new Response(request.method === "HEAD" ? null : content, { headers });
    return withDigest(await change?.(response, request) ?? response, digest);
  });
}

/** Puts the image's digest in, see {@link DIGEST}. */
function withDigest(response: Response, digest: string): Response {
  const field = "docker-content-digest";
  const value = response.headers.get(field);
  if (value?.toLowerCase() !== DIGEST) return response;
  response.headers.set(field, value === DIGEST ? digest : digest.toUpperCase());
  return response;
}

/** What Eddy says of an anonymous question. */
async function askEddy(registry: string): Promise<string> {
  const runtime = { clock: systemClock, log: new MemoryLog() };
  const upstream = createUpstream({
    ...runtime,
    endpoints: configuredEndpoints({
      ...{ registryConfigPath: undefined, mirroredRegistries: [registry] },
      ...{ mirrorTargets: [], registryAddr: { host: "", port: 1 } },
    }, runtime),
  }, { budgetMs: 10_000 });
  try {
    const reference = { registry, repository: "team/app", tag: TAG };
    const { signal } = new AbortController();
    const answer = await upstream.head({ kind: "manifest", reference }, { signal });
    return answer.type === "unavailable" ? `${answer.type} ${answer.reason}` : answer.type;
  } finally {
    upstream.close();
  }
}

async function suite(t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-odd-" });
  const containerd = new RealContainerd(directory, binaries);
  try {
    await containerd.start();
    for (const odd of ODD_REGISTRIES) {
      await t.step(odd.name, async () => {
        await using server = serve(odd);
        const registry = `127.0.0.1:${server.addr.port}`;
        const name = `${registry}/team/app:${TAG}`;
        const pulled = await containerd.ctr("default", ["content", "fetch", name]).then(
          () => true,
          () => false,
        );
        const eddy = await askEddy(registry);
        assert.deepEqual({ pulled, eddy }, { pulled: odd.pulls, eddy: odd.eddy });
      });
    }
  } finally {
    await containerd.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

await testEachContainerd(
  (major) => `registries: Eddy finds what containerd ${major}.x pulls`,
  suite,
  (name, fn) => Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false }),
);
