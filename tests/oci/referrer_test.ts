import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_type.ts";
import { parseReferrer } from "../../lib/oci/referrer.ts";
import { test } from "../support/test.ts";

const SUBJECT = digestOf("subject");
const subject = { mediaType: OCI_MANIFEST, digest: SUBJECT, size: 7 };
const MANIFEST = {
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: { mediaType: OCI_CONFIG, digest: digestOf("{}"), size: 2 },
  layers: [],
  subject,
};

const CASES: readonly (readonly [what: string, document: unknown, wanted: unknown])[] = [
  ["its own type", { ...MANIFEST, artifactType: "a/b" }, {
    ...{ subject: SUBJECT, mediaType: OCI_MANIFEST, artifactType: "a/b" },
  }],
  ["its configuration's type", MANIFEST, {
    ...{ subject: SUBJECT, mediaType: OCI_MANIFEST, artifactType: OCI_CONFIG },
  }],
  ["its configuration's type if its own is empty", { ...MANIFEST, artifactType: "" }, {
    ...{ subject: SUBJECT, mediaType: OCI_MANIFEST, artifactType: OCI_CONFIG },
  }],
  ["an index without a type", { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], subject }, {
    ...{ subject: SUBJECT, mediaType: OCI_INDEX },
  }],
  ["its annotations, if they are texts", {
    ...{ ...MANIFEST, artifactType: "a/b", annotations: { key: "value", number: 1 } },
  }, {
    ...{ subject: SUBJECT, mediaType: OCI_MANIFEST, artifactType: "a/b" },
    annotations: { key: "value" },
  }],
  ["no subject", { ...MANIFEST, subject: undefined }, undefined],
  ["a subject that is none", { ...MANIFEST, subject: { digest: "sha256:short" } }, undefined],
  ["a subject that is null", { ...MANIFEST, subject: null }, undefined],
  ["a text", { ...MANIFEST, subject: SUBJECT }, undefined],
  ["a configuration that has such a field", { architecture: "a", rootfs: {}, subject }, undefined],
];

for (const [what, document, wanted] of CASES) {
  test(`referrers: a manifest with ${what}`, () => {
    const content = new TextEncoder().encode(JSON.stringify(document));
    assert.deepEqual(parseReferrer(content), wanted);
  });
}

test("referrers: what is no JSON is none", () => {
  assert.equal(parseReferrer(new TextEncoder().encode('{"subject"')), undefined);
  assert.equal(parseReferrer(new Uint8Array([0xff, 0xfe])), undefined);
});
