import assert from "node:assert/strict";
import { OCI_MANIFEST, OCTET_STREAM } from "../../lib/oci/media_type.ts";
import { test } from "../support/test.ts";
import { FROM_PEER, MANIFEST, setup } from "./setup.ts";

const BLOB = "0123456789";
const ABSENT = `sha256:${"0".repeat(64)}`;

/** A registry that holds one image with a tag, and one tag whose manifest is gone. */
function filled() {
  const s = setup();
  const manifest = s.store.add(MANIFEST);
  const blob = s.store.add(BLOB);
  s.store.tag("docker.io/library/nginx:1", manifest);
  s.store.tag("docker.io/library/nginx:gone", ABSENT as `sha256:${string}`);
  s.store.tag("docker.io/library/nginx:odd", blob);
  return { ...s, manifest, blob };
}

interface Case {
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  /** Error code, for failures. */
  readonly code?: string;
  readonly body?: string;
  readonly responseHeaders?: Record<string, string | null>;
}

function cases(manifest: string, blob: string): Case[] {
  const name = "/v2/library/nginx";
  const manifestHeaders = {
    "content-type": OCI_MANIFEST,
    "content-length": String(MANIFEST.length),
    "docker-content-digest": manifest,
    "oci-namespace": "docker.io",
    "cache-control": "no-transform",
    "docker-distribution-api-version": "registry/2.0",
    "accept-ranges": null,
  };
  const blobHeaders = {
    "content-type": OCTET_STREAM,
    "content-length": "10",
    "docker-content-digest": blob,
    "oci-namespace": "docker.io",
    "accept-ranges": "bytes",
    "content-range": null,
  };
  const range = (value: string, more = {}) => ({ range: value, ...more });
  const part = (text: string, from: number, to: number) => ({
    status: 206,
    body: text,
    responseHeaders: {
      "content-length": String(text.length),
      "content-range": `bytes ${from}-${to}/10`,
    },
  });
  const blobPath = `${name}/blobs/${blob}`;
  return [
    {
      name: "version check",
      path: "/v2/",
      status: 200,
      body: "{}",
      responseHeaders: { "docker-distribution-api-version": "registry/2.0" },
    },
    { name: "version check without slash", path: "/v2", status: 200, body: "{}" },
    { name: "version check by HEAD", method: "HEAD", path: "/v2/", status: 200, body: "" },
    { name: "live", path: "/livez", status: 200, body: "ok\n" },
    { name: "ready", path: "/readyz", status: 200, body: "ok\n" },
    {
      name: "manifest by tag",
      path: `${name}/manifests/1`,
      status: 200,
      body: MANIFEST,
      responseHeaders: manifestHeaders,
    },
    {
      name: "manifest by digest",
      path: `${name}/manifests/${manifest}`,
      status: 200,
      body: MANIFEST,
      responseHeaders: manifestHeaders,
    },
    {
      name: "manifest by HEAD",
      method: "HEAD",
      path: `${name}/manifests/1`,
      status: 200,
      body: "",
      responseHeaders: manifestHeaders,
    },
    {
      name: "manifest for a peer",
      path: `${name}/manifests/1?ns=docker.io`,
      headers: FROM_PEER,
      status: 200,
      body: MANIFEST,
    },
    {
      name: "manifests have no ranges",
      path: `${name}/manifests/1`,
      headers: range("bytes=0-1"),
      status: 200,
      body: MANIFEST,
    },
    {
      name: "name with its registry",
      path: "/v2/docker.io/library/nginx/manifests/1",
      status: 200,
      body: MANIFEST,
    },
    { name: "encoded slash", path: "/v2/library%2Fnginx/manifests/1", status: 200, body: MANIFEST },
    { name: "empty ns", path: `${name}/manifests/1?ns=`, status: 200, body: MANIFEST },
    {
      name: "digest in another registry",
      path: `${name}/manifests/${manifest}?ns=quay.io:443`,
      status: 200,
      responseHeaders: { "oci-namespace": "quay.io:443" },
    },
    {
      name: "tag in another registry",
      path: `${name}/manifests/1?ns=quay.io`,
      status: 404,
      code: "MANIFEST_UNKNOWN",
    },
    { name: "unknown tag", path: `${name}/manifests/2`, status: 404, code: "MANIFEST_UNKNOWN" },
    {
      name: "tag without its manifest",
      path: `${name}/manifests/gone`,
      status: 404,
      code: "MANIFEST_UNKNOWN",
    },
    { name: "tag of a blob", path: `${name}/manifests/odd`, status: 404, code: "MANIFEST_UNKNOWN" },
    {
      name: "blob at manifests",
      path: `${name}/manifests/${blob}`,
      status: 404,
      code: "MANIFEST_UNKNOWN",
    },
    {
      name: "manifest at blobs",
      path: `${name}/blobs/${manifest}`,
      status: 404,
      code: "BLOB_UNKNOWN",
    },
    { name: "blob", path: blobPath, status: 200, body: BLOB, responseHeaders: blobHeaders },
    {
      name: "blob by HEAD",
      method: "HEAD",
      path: blobPath,
      status: 200,
      body: "",
      responseHeaders: blobHeaders,
    },
    {
      name: "HEAD has no ranges",
      method: "HEAD",
      path: blobPath,
      headers: range("bytes=0-1"),
      status: 200,
      body: "",
      responseHeaders: blobHeaders,
    },
    { name: "blob for a peer", path: blobPath, headers: FROM_PEER, status: 200, body: BLOB },
    { name: "unknown blob", path: `${name}/blobs/${ABSENT}`, status: 404, code: "BLOB_UNKNOWN" },
    { name: "unknown blob by HEAD", method: "HEAD", path: `${name}/blobs/${ABSENT}`, status: 404 },
    { name: "first bytes", path: blobPath, headers: range("bytes=0-3"), ...part("0123", 0, 3) },
    { name: "rest", path: blobPath, headers: range("bytes=7-"), ...part("789", 7, 9) },
    { name: "last bytes", path: blobPath, headers: range("bytes=-2"), ...part("89", 8, 9) },
    {
      name: "more than there is",
      path: blobPath,
      headers: range("bytes=5-99"),
      ...part("56789", 5, 9),
    },
    {
      name: "range for a peer",
      path: blobPath,
      headers: range("bytes=0-3", FROM_PEER),
      ...part("0123", 0, 3),
    },
    {
      name: "If-Range with the digest",
      path: blobPath,
      headers: range("bytes=0-3", { "if-range": `"${blob}"` }),
      ...part("0123", 0, 3),
    },
    {
      name: "If-Range with something else",
      path: blobPath,
      headers: range("bytes=0-3", { "if-range": '"x"' }),
      status: 200,
      body: BLOB,
    },
    {
      name: "range beyond the end",
      path: blobPath,
      headers: range("bytes=10-"),
      status: 416,
      code: "SIZE_INVALID",
      responseHeaders: { "content-range": "bytes */10" },
    },
    {
      name: "several ranges",
      path: blobPath,
      headers: range("bytes=0-1,3-4"),
      status: 200,
      body: BLOB,
    },
    {
      name: "range in a list with empty elements",
      path: blobPath,
      headers: range("bytes=,0-3,"),
      ...part("0123", 0, 3),
    },
    {
      name: "range of another unit",
      path: blobPath,
      headers: range("items=0-5"),
      status: 200,
      body: BLOB,
    },
    {
      name: "malformed range",
      path: blobPath,
      headers: range("bytes=a-b"),
      status: 200,
      body: BLOB,
    },
    {
      name: "malformed range of an unknown blob",
      path: `${name}/blobs/${ABSENT}`,
      headers: range("bytes"),
      status: 404,
      code: "BLOB_UNKNOWN",
    },
    {
      name: "endless range",
      path: blobPath,
      headers: range(`bytes=${"0-1,".repeat(200)}5-6`),
      status: 200,
      body: BLOB,
    },
    { name: "malformed name", path: "/v2/UPPER/manifests/1", status: 400, code: "NAME_INVALID" },
    { name: "malformed name by HEAD", method: "HEAD", path: "/v2/UPPER/manifests/1", status: 400 },
    {
      name: "malformed ns",
      path: `${name}/manifests/1?ns=a%20b`,
      status: 400,
      code: "NAME_INVALID",
    },
    {
      name: "ns that is no UTF-8",
      path: `${name}/manifests/1?ns=%ff`,
      status: 400,
      code: "NAME_INVALID",
    },
    { name: "malformed tag", path: `${name}/manifests/-`, status: 400, code: "MANIFEST_INVALID" },
    {
      name: "malformed digest",
      path: `${name}/blobs/sha256:0`,
      status: 400,
      code: "DIGEST_INVALID",
    },
    {
      name: "unknown algorithm",
      path: `${name}/blobs/md5:${"0".repeat(32)}`,
      status: 400,
      code: "DIGEST_INVALID",
    },
    {
      name: "path that is no UTF-8",
      path: "/v2/%ff/manifests/1",
      status: 400,
      code: "NAME_INVALID",
    },
    { name: "broken escape", path: "/v2/%zz/manifests/1", status: 400, code: "NAME_INVALID" },
    { name: "encoded dots", path: "/v2/a%2f..%2fb/manifests/1", status: 400, code: "NAME_INVALID" },
    { name: "double slash", path: "/v2/a//b/manifests/1", status: 400, code: "NAME_INVALID" },
    { name: "null byte", path: "/v2/a%00/manifests/1", status: 400, code: "NAME_INVALID" },
    {
      name: "long URL",
      path: `/v2/${"a".repeat(9000)}/manifests/1`,
      status: 414,
      code: "NAME_INVALID",
    },
    { name: "unknown endpoint", path: "/v2/_catalog", status: 404, code: "UNSUPPORTED" },
    { name: "tag list", path: `${name}/tags/list`, status: 404, code: "NAME_UNKNOWN" },
    {
      name: "referrers",
      path: `${name}/referrers/${ABSENT}`,
      status: 404,
      code: "MANIFEST_UNKNOWN",
    },
    { name: "unknown path", path: "/etc/passwd", status: 404, code: "UNSUPPORTED" },
    { name: "root", path: "/", status: 404, code: "UNSUPPORTED" },
    {
      name: "write to an unknown path",
      method: "POST",
      path: "/x",
      status: 404,
      code: "UNSUPPORTED",
    },
    ...["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"].flatMap((method) =>
      ["/v2/", "/livez", `${name}/manifests/1`, `${name}/blobs/uploads/`].map((path) => ({
        name: `${method} ${path}`,
        method,
        path,
        status: 405,
        code: "UNSUPPORTED",
        responseHeaders: { allow: "GET, HEAD" },
      }))
    ),
  ];
}

test("registry: requests and their answers", async (t) => {
  const s = filled();
  for (const c of cases(s.manifest, s.blob)) {
    await t.step(c.name, async () => {
      const method = c.method ?? "GET";
      const init = c.headers === undefined ? { method } : { method, headers: c.headers };
      const response = await s.request(c.path, init);
      const text = await response.text();
      assert.equal(response.status, c.status, text);
      if (c.body !== undefined) assert.equal(text, c.body);
      if (method === "HEAD") assert.equal(text, "");
      if (c.code !== undefined) {
        assert.equal(response.headers.get("content-type"), "application/json");
        const [error] = JSON.parse(text).errors;
        assert.equal(error.code, c.code);
        assert.ok(error.message.length > 0);
      }
      for (const [name, value] of Object.entries(c.responseHeaders ?? {})) {
        assert.equal(response.headers.get(name), value, name);
      }
      assert.equal(s.inFlight(), 0);
    });
  }
});

test("registry: readiness follows the router, and ends with the drain", async () => {
  const s = setup();
  s.router.isReady = false;
  assert.equal((await s.request("/readyz")).status, 503);
  assert.equal((await s.request("/livez")).status, 200);
  s.router.isReady = true;
  assert.equal((await s.request("/readyz")).status, 200);
  assert.equal(await s.drain({ signal: new AbortController().signal }), 0);
  assert.equal((await s.request("/readyz")).status, 503);
  assert.equal((await s.request("/livez")).status, 200);
});

test("registry: what is filtered is not looked up, for clients and peers alike", async () => {
  const s = setup({ filter: (reference) => reference.repository !== "private/a" });
  const manifest = s.store.add(MANIFEST);
  s.store.tag("docker.io/private/a:1", manifest);
  for (const headers of [{}, FROM_PEER]) {
    for (const reference of ["1", manifest]) {
      const response = await s.request(`/v2/private/a/manifests/${reference}`, { headers });
      assert.equal(response.status, 404);
      assert.deepEqual((await response.json()).errors[0].detail, { reason: "filtered" });
    }
  }
  assert.deepEqual(s.mirror.requests, []);
  assert.equal((await s.request(`/v2/public/a/manifests/${manifest}`)).status, 200);
  const counted = s.metrics.calls.filter(([name]) => name === "mirrorRequest");
  assert.deepEqual(counted, [
    ["mirrorRequest", "docker.io", "miss", "filtered"],
    ["mirrorRequest", "docker.io", "miss", "filtered"],
    ["mirrorRequest", "docker.io", "local", ""],
  ]);
});

test("/v2/ tells which node answers, where it is to", async () => {
  for (const nodeId of ["12D3KooWnode", undefined]) {
    const response = await setup({ nodeId }).request("/v2/");
    assert.equal(response.headers.get("x-eddy-node"), nodeId ?? null);
    await response.body?.cancel();
  }
});
