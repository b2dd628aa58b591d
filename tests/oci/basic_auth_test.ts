import assert from "node:assert/strict";
import { basicAuthorization, isAuthorized } from "../../lib/oci/basic_auth.ts";
import { test } from "../support/test.ts";

test("basic authentication: the header is that of RFC 7617, and Spegel's", () => {
  assert.equal(basicAuthorization("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  assert.equal(basicAuthorization("foo", ""), "Basic Zm9vOg==");
  assert.equal(basicAuthorization("test", "123£"), "Basic dGVzdDoxMjPCow==");
});

test("basic authentication: which headers are accepted", () => {
  const accepted = [basicAuthorization("user", "new"), basicAuthorization("user", "old")];
  const cases: [header: string | null, authorized: boolean][] = [
    [basicAuthorization("user", "new"), true],
    [basicAuthorization("user", "old"), true],
    [basicAuthorization("user", "new").replace("Basic", "basic"), true],
    [basicAuthorization("user", "other"), false],
    [basicAuthorization("other", "new"), false],
    [basicAuthorization("use", "r:new"), false],
    [basicAuthorization("", ""), false],
    [null, false],
    ["", false],
    ["Basic", false],
    ["Basic ", false],
    ["Basic !!!", false],
    [basicAuthorization("user", "new").replace("Basic", "Bearer"), false],
    [`${basicAuthorization("user", "new")}, Basic eA==`, false],
    [`Basic ${"A".repeat(100_000)}`, false],
  ];
  for (const [header, authorized] of cases) {
    assert.equal(isAuthorized(header, accepted), authorized, String(header).slice(0, 60));
    assert.equal(isAuthorized(header, []), false);
  }
});
