import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatReference,
  isRegistry,
  isRepository,
  isTag,
  looksLikeRegistry,
  parseReference,
  referenceKey,
} from "../../lib/oci/reference.ts";
import { test } from "../support/test.ts";
import { references } from "./arbitraries.ts";

const DIGEST = `sha256:${"a".repeat(64)}` as const;

test("references: parsing", () => {
  const cases: [name: string, parsed: ReturnType<typeof parseReference>][] = [
    ["docker.io/library/nginx:1.27", {
      registry: "docker.io",
      repository: "library/nginx",
      tag: "1.27",
    }],
    [`docker.io/library/nginx@${DIGEST}`, {
      registry: "docker.io",
      repository: "library/nginx",
      digest: DIGEST,
    }],
    [`localhost:5000/a:b@${DIGEST}`, {
      registry: "localhost:5000",
      repository: "a",
      tag: "b",
      digest: DIGEST,
    }],
    ["localhost/a", { registry: "localhost", repository: "a" }],
    ["[::1]:5000/a:1", { registry: "[::1]:5000", repository: "a", tag: "1" }],
    ["library/nginx:1", undefined],
    ["nginx", undefined],
    ["sha256:abc", undefined],
    [DIGEST, undefined],
    ["docker.io/library/nginx:", undefined],
    ["docker.io/library/nginx@", undefined],
    ["docker.io/library/nginx@sha256:short", undefined],
    ["docker.io/Library/nginx:1", undefined],
    ["docker.io//nginx:1", undefined],
    ["docker.io/../nginx:1", undefined],
    ["docker.io/nginx:1\n", undefined],
    ["docker.io/nginx:-1", undefined],
    [`docker.io/${"a/".repeat(200)}a:1`, undefined],
    ["-a.io/nginx:1", undefined],
    ["/nginx:1", undefined],
    ["", undefined],
  ];
  for (const [name, parsed] of cases) assert.deepEqual(parseReference(name), parsed, name);
});

test("references: parts", () => {
  const cases: [check: (text: string) => boolean, text: string, valid: boolean][] = [
    [isTag, "1.27", true],
    [isTag, "_a", true],
    [isTag, ".a", false],
    [isTag, "-a", false],
    [isTag, "a".repeat(128), true],
    [isTag, "a".repeat(129), false],
    [isTag, "a\n", false],
    [isTag, "", false],
    [isRepository, "a/b-c/d__e", true],
    [isRepository, "a--b", true],
    [isRepository, "a___b", false],
    [isRepository, "a..b", false],
    [isRepository, "a/", false],
    [isRepository, "/a", false],
    [isRepository, "a//b", false],
    [isRepository, "A", false],
    [isRepository, "a".repeat(255), true],
    [isRepository, "a".repeat(256), false],
    [isRegistry, "docker.io", true],
    [isRegistry, "docker.io:443", true],
    [isRegistry, "[fe80::1]:5000", true],
    [isRegistry, "a_b.io", false],
    [isRegistry, "xn--a:5000", false],
    [isRegistry, "300.1.2.3", false],
    [isRegistry, "docker.io:", false],
    [isRegistry, "docker.io:123456", false],
    [isRegistry, "docker.io/a", false],
    [isRegistry, "docker.io\r\nx: y", false],
    [isRegistry, "", false],
    [looksLikeRegistry, "library", false],
    [looksLikeRegistry, "localhost", true],
    [looksLikeRegistry, "host:1", true],
    [looksLikeRegistry, "ghcr.io", true],
    [looksLikeRegistry, "..", false],
  ];
  for (const [check, text, valid] of cases) {
    assert.equal(check(text), valid, `${check.name} ${JSON.stringify(text)}`);
  }
});

test("references: parsing is the inverse of formatting", () => {
  fc.assert(fc.property(references, (reference) => {
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  }));
});

test("references: parsing never throws, and what it takes it gives back", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.stringMatching(/^[a-z.:@/_-]{0,40}$/),
  );
  fc.assert(fc.property(texts, (text) => {
    const reference = parseReference(text);
    if (reference !== undefined) assert.equal(formatReference(reference), text);
  }));
});

test("references: a long hostile name is refused", () => {
  // A regular expression that backtracks exponentially would not come back from these.
  const hostile = `${"a-".repeat(120)}!`;
  for (const name of [hostile, `x.io/${hostile}`, `${"a.".repeat(120)}_/a`]) {
    assert.equal(parseReference(name), undefined);
  }
});

test("references: keys", () => {
  const base = { registry: "docker.io", repository: "library/nginx" };
  assert.equal(referenceKey({ ...base, tag: "1" }), "docker.io/library/nginx:1");
  assert.equal(referenceKey({ ...base, tag: "1", digest: DIGEST }), DIGEST);
  assert.equal(referenceKey(base), "docker.io/library/nginx:latest");
});
