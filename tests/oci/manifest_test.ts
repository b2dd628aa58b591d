import assert from "node:assert/strict";
import fc from "fast-check";
import { isDigest } from "../../lib/oci/digest.ts";
import { distributedChildren, manifestChildren } from "../../lib/oci/manifest.ts";
import { OCTET_STREAM } from "../../lib/oci/media_type.ts";
import { test } from "../support/test.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const digest = (character: string) => `sha256:${character.repeat(64)}`;
const child = (character: string) => ({
  digest: digest(character),
  mediaType: `application/${character}`,
  size: 1,
});

test("manifests: children in order", () => {
  assert.deepEqual(
    manifestChildren(encode({ config: child("a"), layers: [child("b"), child("c")] })),
    [child("a"), child("b"), child("c")],
  );
  assert.deepEqual(manifestChildren(encode({ manifests: [child("d")] })), [child("d")]);
});

test("manifests: malformed children are left out or mended", () => {
  const layers = [
    null,
    7,
    "text",
    [],
    {},
    { digest: "sha256:short" },
    { digest: 7 },
    { digest: digest("e"), size: -1 },
    { digest: digest("f"), mediaType: 7, size: 1.5 },
    { digest: digest("0"), size: "9" },
  ];
  assert.deepEqual(
    manifestChildren(encode({ layers })),
    ["e", "f", "0"].map((c) => ({ digest: digest(c), mediaType: OCTET_STREAM, size: 0 })),
  );
  for (const document of [{}, [], null, 7, "x", { layers: 7, manifests: {}, config: null }]) {
    assert.deepEqual(manifestChildren(encode(document)), []);
  }
  assert.deepEqual(manifestChildren(new Uint8Array([0xff])), []);
  assert.deepEqual(manifestChildren(new Uint8Array()), []);
});

test("manifests: too many children are cut off", () => {
  const layers = Array.from({ length: 5000 }, () => child("a"));
  assert.equal(manifestChildren(encode({ layers })).length, 4096);
});

test("manifests: any content has well-formed children", () => {
  const documents = fc.oneof(
    fc.uint8Array(),
    fc.record({ config: fc.jsonValue(), layers: fc.jsonValue(), manifests: fc.jsonValue() })
      .map(encode),
  );
  fc.assert(fc.property(documents, (document) => {
    for (const { digest, size } of manifestChildren(document)) {
      assert.ok(isDigest(digest) && size >= 0);
    }
  }));
});

test("manifests: layers that a registry does not hold are told apart", () => {
  const digests = ["a", "b", "c", "d"].map((letter) => `sha256:${letter.repeat(64)}`);
  const layers = [
    { digest: digests[0] },
    { digest: digests[1], urls: ["https://elsewhere.example/layer"] },
    { digest: digests[2], mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" },
    {
      digest: digests[3],
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    },
  ];
  const manifest = new TextEncoder().encode(JSON.stringify({ layers }));
  assert.deepEqual(distributedChildren(manifest).map(({ digest }) => digest), [digests[0]]);
  assert.equal(manifestChildren(manifest).length, 4);
});
