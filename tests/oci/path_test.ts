import assert from "node:assert/strict";
import fc from "fast-check";
import { OciError } from "../../lib/oci/error.ts";
import {
  type DistributionPath,
  formatDistributionPath,
  parseDistributionPath,
} from "../../lib/oci/path.ts";
import { test } from "../support/test.ts";
import { distributionPaths } from "./arbitraries.ts";

const DIGEST = `sha256:${"b".repeat(64)}` as const;

test("paths: which are pulls, and of what", () => {
  const nginx = { registry: "docker.io", repository: "library/nginx" };
  const cases: [path: string, ns: string | undefined, parsed: DistributionPath | undefined][] = [
    ["/v2/library/nginx/manifests/1.27", undefined, {
      kind: "manifest",
      reference: { ...nginx, tag: "1.27" },
    }],
    [`/v2/library/nginx/manifests/${DIGEST}`, "quay.io", {
      kind: "manifest",
      reference: { registry: "quay.io", repository: "library/nginx", digest: DIGEST },
    }],
    [`/v2/library/nginx/blobs/${DIGEST}`, undefined, {
      kind: "blob",
      reference: { ...nginx, digest: DIGEST },
    }],
    // Without ns, a first component that looks like a host is the registry.
    ["/v2/ghcr.io/a/b/manifests/1", undefined, {
      kind: "manifest",
      reference: { registry: "ghcr.io", repository: "a/b", tag: "1" },
    }],
    ["/v2/ghcr.io/a/b/manifests/1", "docker.io", {
      kind: "manifest",
      reference: { registry: "docker.io", repository: "ghcr.io/a/b", tag: "1" },
    }],
    // Repositories may be named like the endpoints.
    ["/v2/a/manifests/b/manifests/1", undefined, {
      kind: "manifest",
      reference: { registry: "docker.io", repository: "a/manifests/b", tag: "1" },
    }],
    [`/v2/a/manifests/b/blobs/${DIGEST}`, undefined, {
      kind: "blob",
      reference: { registry: "docker.io", repository: "a/manifests/b", digest: DIGEST },
    }],
    ["/v2/", undefined, undefined],
    ["/v2", undefined, undefined],
    ["/", undefined, undefined],
    ["", undefined, undefined],
    ["/v1/a/manifests/1", undefined, undefined],
    ["/v2/a/tags/list", undefined, undefined],
    ["/v2/manifests/1", undefined, undefined],
    ["/v2//manifests/1", undefined, undefined],
    ["/v2/a/manifests/", undefined, undefined],
    ["/v2/_catalog", undefined, undefined],
    [`/v2/a/referrers/${DIGEST}`, undefined, undefined],
  ];
  for (const [path, ns, parsed] of cases) {
    assert.deepEqual(parseDistributionPath(path, ns), parsed, path);
  }
});

test("paths: malformed parts are refused with 400 and a code that names them", () => {
  const cases: [path: string, ns: string | undefined, code: string][] = [
    ["/v2/A/manifests/1", undefined, "NAME_INVALID"],
    ["/v2/a//b/manifests/1", undefined, "NAME_INVALID"],
    ["/v2/../a/manifests/1", undefined, "NAME_INVALID"],
    ["/v2/a/manifests/1", "", "NAME_INVALID"],
    ["/v2/a/manifests/1", "a b", "NAME_INVALID"],
    ["/v2/a/manifests/1", "x\r\ny: z", "NAME_INVALID"],
    ["/v2/a\u0000/manifests/1", undefined, "NAME_INVALID"],
    [`/v2/${"a".repeat(300)}/manifests/1`, undefined, "NAME_INVALID"],
    ["/v2/a/manifests/-1", undefined, "MANIFEST_INVALID"],
    [`/v2/a/manifests/${"a".repeat(129)}`, undefined, "MANIFEST_INVALID"],
    ["/v2/a/manifests/sha256:short", undefined, "DIGEST_INVALID"],
    ["/v2/a/manifests/md5:00", undefined, "DIGEST_INVALID"],
    ["/v2/a/blobs/latest", undefined, "DIGEST_INVALID"],
    ["/v2/a/blobs/uploads", undefined, "DIGEST_INVALID"],
  ];
  for (const [path, ns, code] of cases) {
    assert.throws(() => parseDistributionPath(path, ns), { name: "OciError", status: 400, code });
  }
});

test("paths: parsing is the inverse of formatting", () => {
  fc.assert(fc.property(distributionPaths, (path) => {
    const url = new URL(formatDistributionPath(path), "http://peer");
    const ns = url.searchParams.get("ns") ?? undefined;
    assert.deepEqual(parseDistributionPath(decodeURIComponent(url.pathname), ns), path);
  }));
});

test("paths: any text parses or is refused with a 400", () => {
  const piece = fc.oneof(
    fc.constantFrom("v2", "manifests", "blobs", "..", "", "a", "docker.io", DIGEST, "sha256:"),
    fc.string({ unit: "binary", maxLength: 20 }),
  );
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join("/")}`),
    fc.array(piece, { maxLength: 6 }).map((pieces) => `/v2/${pieces.join("/")}/manifests/1`),
  );
  fc.assert(
    fc.property(texts, fc.option(piece, { nil: undefined }), (path, ns) => {
      try {
        parseDistributionPath(path, ns);
      } catch (error) {
        assert.ok(error instanceof OciError);
        assert.equal(error.status, 400);
      }
    }),
    { numRuns: 500 },
  );
});
