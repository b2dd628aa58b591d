import assert from "node:assert/strict";
import { OciError } from "../../lib/oci/error.ts";
import { test } from "../support/test.ts";

test("errors: the body has code and message, and a detail only if there is one", () => {
  const cause = new Error("secret");
  const plain = new OciError("NAME_UNKNOWN", "no such name", { status: 404, cause });
  assert.deepEqual(plain.toBody(), {
    errors: [{ code: "NAME_UNKNOWN", message: "no such name" }],
  });
  assert.equal(plain.cause, cause);
  const detailed = new OciError("DENIED", "no", { status: 403, detail: { why: null } });
  assert.deepEqual(detailed.toBody(), {
    errors: [{ code: "DENIED", message: "no", detail: { why: null } }],
  });
});
