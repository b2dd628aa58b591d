import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_type.ts";
// Opens what libp2p opens once for the whole process.
import "../router/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { LiveCluster } from "../support/live_cluster.ts";
import { test } from "../support/test.ts";

/** Two timers of libp2p 3.3 outlive `stop()` by a second (see tests/router/cluster.ts). */
const LIBRARY_TIMERS_MS = 1100;
const KEY = "0123456789abcdef".repeat(4);
const APP = "registry.test/team/app";
const SBOM = "application/vnd.example.sbom";
const SIGNATURE = "application/vnd.example.signature";

const CONFIG = "{}";
const config = { mediaType: OCI_CONFIG, digest: digestOf(CONFIG), size: CONFIG.length };
const IMAGE = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] });
const SUBJECT = digestOf(IMAGE);
const subject = { mediaType: OCI_MANIFEST, digest: SUBJECT, size: IMAGE.length };
const ANNOTATIONS = { "org.example.by": "tests" };
const ABOUT: Readonly<Record<string, string>> = {
  sbom: JSON.stringify({ ...JSON.parse(IMAGE), artifactType: SBOM, subject }),
  signature: JSON.stringify({
    ...{ ...JSON.parse(IMAGE), artifactType: SIGNATURE, subject, annotations: ANNOTATIONS },
  }),
  configured: JSON.stringify({ ...JSON.parse(IMAGE), subject }),
  index: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], subject }),
};

interface ListedDescriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
}

/** What each node must answer, whoever holds it (distribution specification, end-8 and end-12). */
async function checkLists(url: string): Promise<void> {
  const get = async (path: string) => {
    const response = await fetch(`${url}/v2/team/app/${path}`);
    return { response, document: await response.json() };
  };
  const tags = async (query: string) => {
    const { response, document } = await get(`tags/list?ns=registry.test${query}`);
    assert.equal(response.status, 200, query);
    assert.equal(document.name, "team/app");
    return { link: response.headers.get("link"), tags: document.tags };
  };
  assert.deepEqual(await tags(""), { tags: ["V0", "v1", "v10", "v2"], link: null });
  assert.deepEqual(await tags("&last=v1"), { tags: ["v10", "v2"], link: null });
  assert.deepEqual(await tags("&n=0"), { tags: [], link: null });
  const { tags: first, link } = await tags("&n=3");
  assert.deepEqual(first, ["V0", "v1", "v10"]);
  const [, next = ""] = /^<\/v2\/team\/app\/(.*)>; rel="next"$/.exec(link ?? "") ?? [];
  assert.deepEqual((await get(next)).document.tags, ["v2"]);

  const referrers = async (query = "") => {
    const { response, document } = await get(`referrers/${SUBJECT}?ns=registry.test${query}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), OCI_INDEX);
    assert.equal(document.mediaType, OCI_INDEX);
    assert.equal(document.schemaVersion, 2);
    const manifests: ListedDescriptor[] = document.manifests;
    return { manifests, applied: response.headers.get("oci-filters-applied") };
  };
  const all = await referrers();
  assert.equal(all.applied, null);
  const expected = [
    { name: "sbom", mediaType: OCI_MANIFEST, artifactType: SBOM },
    { name: "signature", mediaType: OCI_MANIFEST, artifactType: SIGNATURE },
    { name: "configured", mediaType: OCI_MANIFEST, artifactType: OCI_CONFIG },
    { name: "index", mediaType: OCI_INDEX },
  ].map(({ name, ...rest }) => ({
    ...{ digest: digestOf(ABOUT[name] ?? ""), size: ABOUT[name]?.length, ...rest },
    ...(name === "signature" ? { annotations: ANNOTATIONS } : {}),
  })).sort((a, b) => a.digest < b.digest ? -1 : 1);
  assert.deepEqual(all.manifests, expected);
  for (const type of [SBOM, SIGNATURE, OCI_CONFIG, "application/vnd.example.none"]) {
    const { manifests, applied } = await referrers(`&artifactType=${encodeURIComponent(type)}`);
    assert.equal(applied, "artifactType");
    const wanted = expected.filter(({ artifactType }) => artifactType === type);
    assert.deepEqual(manifests, wanted, type);
  }
  for (const { digest } of all.manifests) {
    const found = await fetch(`${url}/v2/team/app/manifests/${digest}?ns=registry.test`);
    assert.equal(digestOf(await found.bytes()), digest, "what is listed can be got");
  }
  for (const path of ["referrers/latest", "tags/list?n=many"]) {
    const { response } = await get(path);
    assert.equal(response.status, 400, path);
  }
  const { response, document } = await get(`referrers/${digestOf("other")}?ns=registry.test`);
  assert.deepEqual([response.status, document.errors[0].code], [404, "MANIFEST_UNKNOWN"]);
}

for (const key of ["with", "without"]) {
  test(`lists: the holder and a node beside it answer as the specification says, ${key} a cluster key`, async () => {
    const keyFile = await Deno.makeTempFile({ prefix: "eddy-key-" });
    await Deno.writeTextFile(keyFile, `${KEY}\n`);
    try {
      const flags = key === "with" ? ["--cluster-key-file", keyFile] : [];
      await using cluster = await LiveCluster.start(3, flags, async (index, writer) => {
        if (index !== 0) return;
        await writer.putBlob(new TextEncoder().encode(CONFIG));
        for (const tag of ["v2", "v1", "v10", "V0"]) {
          await writer.putManifest(IMAGE, `${APP}:${tag}`);
        }
        for (const content of Object.values(ABOUT)) {
          await writer.putManifest(content, `${APP}@${digestOf(content)}`);
        }
        await writer.putManifest(ABOUT["sbom"] ?? "", "registry.test/other/app:v9");
      });
      const [holder, ...others] = cluster.nodes.map(({ agent }) => agent.url);
      await eventually("the holder has told of what it holds", async () => {
        const response = await fetch(`${others[0]}/v2/team/app/manifests/v1?ns=registry.test`);
        await response.body?.cancel();
        return response.status === 200;
      });
      await checkLists(holder ?? assert.fail());
      for (const url of others) await checkLists(url);
    } finally {
      await Deno.remove(keyFile);
      await systemClock.sleep(LIBRARY_TIMERS_MS);
    }
  });
}
