import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "../support/test.ts";
import { FROM_PEER, MANIFEST, setup } from "./setup.ts";

const ABSENT = `sha256:${"0".repeat(64)}`;

test("fuzz: no request makes a 500, and failures below /v2 carry the OCI error body", async () => {
  const s = setup();
  const manifest = s.store.add(MANIFEST);
  const blob = s.store.add("0123456789");
  s.store.tag("docker.io/a:1", manifest);
  const piece = fc.oneof(
    fc.constantFrom(
      "v2",
      "manifests",
      "blobs",
      "uploads",
      "tags",
      "list",
      "referrers",
      "a",
      "1",
      "..",
      "",
    ),
    fc.constantFrom(manifest, blob, ABSENT, "docker.io", "%2e%2e", "%00", "%ff", "%", "sha256:"),
    fc.string({ unit: "binary", maxLength: 12 }),
  );
  const below = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join("/"));
  const paths = fc.oneof(
    below.map((path) => `/v2/${path}`),
    below.map((path) => `/${path}`),
    fc.constantFrom(manifest, blob, ABSENT, "1").map((id) => `/v2/a/manifests/${id}`),
    fc.constantFrom(manifest, blob, ABSENT).map((id) => `/v2/a/blobs/${id}`),
    fc.constantFrom(manifest, blob, ABSENT, "1").map((id) => `/v2/a/referrers/${id}`),
    fc.constant("/v2/a/tags/list"),
  );
  const headerValue = fc.stringMatching(/^[\x21-\x7e]{0,30}$/);
  const requests = fc.record({
    method: fc.constantFrom("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "BREW"),
    path: paths,
    query: fc.option(
      fc.oneof(
        piece.map((ns) => `?ns=${ns}`),
        piece.map((text) => `?${text}`),
        fc.tuple(fc.constantFrom("n", "last", "artifactType"), piece, piece)
          .map(([name, one, other]) => `?${name}=${one}&${name}=${other}`),
      ),
      { nil: "" },
    ),
    range: fc.option(
      fc.oneof(
        headerValue,
        headerValue.map((value) => `bytes=${value}`),
        fc.tuple(fc.nat(20), fc.nat(20)).map(([from, to]) => `bytes=${from}-${to}`),
      ),
    ),
    fromPeer: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, path, query, range, fromPeer }) => {
      const headers = new Headers(fromPeer ? FROM_PEER : {});
      if (range !== null) headers.set("range", range);
      const response = await s.request(path + query, { method, headers });
      const text = await response.text();
      assert.ok(response.status < 500, `${response.status} ${text}`);
      if (response.status >= 400 && method !== "HEAD") {
        const [error] = JSON.parse(text).errors;
        assert.match(error.code, /^[A-Z_]+$/);
        assert.ok(!text.includes(".ts:"), "a stack trace");
      }
      assert.equal(s.inFlight(), 0);
    }),
    { numRuns: 2000 },
  );
  assert.deepEqual(s.log.lines.filter(({ level }) => level === "error"), []);
});
