import assert from "node:assert/strict";
import { OciError } from "../../lib/oci/error.ts";
import { formatListing, nextLink, parseEntries, parseListing } from "../../lib/oci/listing.ts";
import { test } from "../support/test.ts";

const HEX = "a".repeat(64);
const DIGEST = `sha256:${HEX}`;

function parse(target: string) {
  const { pathname, searchParams } = new URL(target, "http://mirror");
  return parseListing(pathname, (name) => searchParams.getAll(name));
}

const GOOD: readonly (readonly [target: string, wanted: Record<string, unknown>])[] = [
  ["/v2/library/nginx/tags/list", {
    kind: "tags",
    reference: { registry: "docker.io", repository: "library/nginx" },
    name: "library/nginx",
  }],
  ["/v2/team/app/tags/list?ns=ghcr.io&n=0&last=v1", {
    kind: "tags",
    reference: { registry: "ghcr.io", repository: "team/app" },
    ...{ name: "team/app", ns: "ghcr.io", n: 0, last: "v1" },
  }],
  ["/v2/ghcr.io/team/app/tags/list?ns=&n=5", {
    kind: "tags",
    reference: { registry: "ghcr.io", repository: "team/app" },
    ...{ name: "ghcr.io/team/app", n: 5 },
  }],
  // Names may look like endpoints.
  ["/v2/app/manifests/tags/list", {
    kind: "tags",
    reference: { registry: "docker.io", repository: "app/manifests" },
    name: "app/manifests",
  }],
  [`/v2/app/referrers/${DIGEST}?artifactType=a%2Fb&artifactType=c/d&artifactType=`, {
    kind: "referrers",
    reference: { registry: "docker.io", repository: "app", digest: DIGEST },
    ...{ name: "app", artifactTypes: ["a/b", "c/d"] },
  }],
];

for (const [target, wanted] of GOOD) {
  test(`lists: ${target} is understood`, () => {
    const nothing = { ns: undefined, n: undefined, last: undefined, artifactTypes: [] };
    assert.deepEqual(parse(target), { ...nothing, ...wanted });
  });
}

const BAD: readonly (readonly [target: string, code: string])[] = [
  ["/v2/app/tags/list?n=-1", "UNSUPPORTED"],
  ["/v2/app/tags/list?n=1e3", "UNSUPPORTED"],
  ["/v2/app/tags/list?n=", "UNSUPPORTED"],
  ["/v2/app/tags/list?n=9999999999", "UNSUPPORTED"],
  [`/v2/app/tags/list?last=${"x".repeat(161)}`, "UNSUPPORTED"],
  ["/v2/App/tags/list", "NAME_INVALID"],
  ["/v2/app/tags/list?ns=a%20b", "NAME_INVALID"],
  ["/v2/app/referrers/latest", "DIGEST_INVALID"],
  ["/v2/app/referrers/sha256:short", "DIGEST_INVALID"],
  [`/v2/app/referrers/${DIGEST}?${"artifactType=a/b&".repeat(17)}`, "UNSUPPORTED"],
  [`/v2/app/referrers/${DIGEST}?artifactType=${"x".repeat(256)}`, "UNSUPPORTED"],
];

for (const [target, code] of BAD) {
  test(`lists: ${target.slice(0, 60)} is refused`, () => {
    assert.throws(
      () => parse(target),
      (error) => error instanceof OciError && error.code === code && error.status === 400,
    );
  });
}

test("lists: other paths are none", () => {
  for (
    const path of [
      ...["/v2/tags/list", "/v2/app/tags", "/v2/app/tags/list/", "/v2/app/tags/other"],
      ...["/v2/app/referrers/", `/v2/referrers/${DIGEST}`, "/v2/_catalog"],
    ]
  ) assert.equal(parse(path), undefined, path);
});

test("lists: a peer and a client are led on by what the other end understands", () => {
  const tags = parse("/v2/ghcr.io/team/app/tags/list?n=2") ?? assert.fail();
  const asked = formatListing(tags, { n: 3, last: "v1" });
  assert.equal(asked, "/v2/team/app/tags/list?ns=ghcr.io&n=3&last=v1");
  assert.deepEqual(parse(asked)?.reference, tags.reference);
  assert.equal(nextLink(tags, "v2"), '</v2/ghcr.io/team/app/tags/list?n=2&last=v2>; rel="next"');
  const referrers = parse(`/v2/app/referrers/${DIGEST}?ns=quay.io&artifactType=a/b`) ??
    assert.fail();
  const link = nextLink(referrers, DIGEST);
  const next = parse(/^<(.*)>; rel="next"$/.exec(link)?.[1] ?? "");
  assert.deepEqual(next, { ...referrers, last: DIGEST });
  assert.equal(
    formatListing(referrers, { n: undefined, last: undefined }),
    `/v2/app/referrers/${DIGEST}?ns=quay.io`,
  );
});

test("lists: of what a peer sends only valid entries are taken", () => {
  const entries = (kind: "tags" | "referrers", document: unknown) =>
    parseEntries(kind, new TextEncoder().encode(JSON.stringify(document)));
  const tags = ["v1", "../../etc", "", 7, null, "v2"];
  assert.deepEqual(entries("tags", { name: "x", tags }), ["v1", "v2"]);
  const manifests = [{ digest: DIGEST }, { digest: "sha256:short" }, null, {}, "x"];
  assert.deepEqual(entries("referrers", { manifests }), [DIGEST]);
  for (const nothing of [null, [], {}, { tags: "v1", manifests: {} }]) {
    assert.equal(entries("tags", nothing), undefined);
    assert.equal(entries("referrers", nothing), undefined);
  }
  assert.equal(entries("referrers", { manifests: ["x"] }), undefined, "not an empty list");
  assert.deepEqual(entries("tags", { tags: [] }), []);
  assert.equal(parseEntries("tags", new TextEncoder().encode("{")), undefined);
});
