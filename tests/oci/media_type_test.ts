import assert from "node:assert/strict";
import fc from "fast-check";
import * as types from "../../lib/oci/media_type.ts";
import { test } from "../support/test.ts";

const encode = (text: string) => new TextEncoder().encode(text);

test("media types: found from content", () => {
  const config = { digest: "d", size: 1 };
  const cases: [content: unknown, mediaType: string][] = [
    [{ schemaVersion: 2, mediaType: types.OCI_INDEX, manifests: [] }, types.OCI_INDEX],
    [{ schemaVersion: 2, mediaType: types.DOCKER_LIST, manifests: [] }, types.DOCKER_LIST],
    [
      { schemaVersion: 2, mediaType: types.DOCKER_MANIFEST, config, layers: [] },
      types.DOCKER_MANIFEST,
    ],
    [{ schemaVersion: 2, manifests: [] }, types.OCI_INDEX],
    [{ schemaVersion: 2, config, layers: [] }, types.OCI_MANIFEST],
    [{ schemaVersion: 1, fsLayers: [], history: [] }, types.DOCKER_SCHEMA1],
    [{ architecture: "amd64", os: "linux", rootfs: { type: "layers" } }, types.OCI_CONFIG],
    [{ schemaVersion: 2, layers: [] }, types.OCTET_STREAM],
    [{ mediaType: "text/html", schemaVersion: 2 }, types.OCTET_STREAM],
    [{ mediaType: 7, schemaVersion: 2 }, types.OCTET_STREAM],
    [{}, types.OCTET_STREAM],
    [[], types.OCTET_STREAM],
    [null, types.OCTET_STREAM],
    ["text", types.OCTET_STREAM],
  ];
  for (const [content, mediaType] of cases) {
    const text = JSON.stringify(content);
    assert.equal(types.detectMediaType(encode(text)), mediaType, text);
    assert.equal(types.detectMediaType(encode(` \n${text}`)), mediaType, text);
  }
});

test("media types: what is no JSON object is a blob", () => {
  for (
    const content of [
      new Uint8Array(),
      encode("{"),
      encode('{"schemaVersion":2,"manifests":[]} trailing'),
      new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
      new Uint8Array([0x1f, 0x8b, 0x08]),
    ]
  ) assert.equal(types.detectMediaType(content), types.OCTET_STREAM);
});

test("media types: more than 4 MiB is a blob", () => {
  const manifest = JSON.stringify({ schemaVersion: 2, manifests: [] });
  const padded = (length: number) => encode(manifest.padEnd(length));
  assert.equal(types.detectMediaType(padded(types.MAX_MANIFEST_BYTES)), types.OCI_INDEX);
  assert.equal(types.detectMediaType(padded(types.MAX_MANIFEST_BYTES + 1)), types.OCTET_STREAM);
});

test("media types: kinds", () => {
  for (const type of [types.OCI_INDEX, types.DOCKER_LIST]) {
    assert.ok(types.isIndexMediaType(type) && types.isManifestMediaType(type));
  }
  for (const type of [types.OCI_MANIFEST, types.DOCKER_MANIFEST, types.DOCKER_SCHEMA1]) {
    assert.ok(!types.isIndexMediaType(type) && types.isManifestMediaType(type));
  }
  for (const type of [types.OCI_CONFIG, types.OCTET_STREAM, ""]) {
    assert.ok(!types.isIndexMediaType(type) && !types.isManifestMediaType(type));
  }
});

test("media types: any content has one", () => {
  const contents = fc.oneof(fc.uint8Array(), fc.json().map(encode));
  fc.assert(fc.property(contents, (content) => {
    assert.match(types.detectMediaType(content), /^application\//);
  }));
});
