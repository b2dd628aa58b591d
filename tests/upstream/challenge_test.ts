import assert from "node:assert/strict";
import fc from "fast-check";
import { parseChallenges } from "../../lib/upstream/challenge.ts";
import { test } from "../support/test.ts";

const CASES: readonly (readonly [
  header: string,
  expected: readonly (readonly [scheme: string, parameters: Record<string, string>])[],
])[] = [
  ["", []],
  ["Basic", [["basic", {}]]],
  ['Basic realm="a b"', [["basic", { realm: "a b" }]]],
  ["Basic realm=simple", [["basic", { realm: "simple" }]]],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull"',
    [["bearer", {
      realm: "https://auth.docker.io/token",
      service: "registry.docker.io",
      scope: "repository:library/nginx:pull",
    }]],
  ],
  ['BEARER Realm = "x" , Service="y"', [["bearer", { realm: "x", service: "y" }]]],
  ['Basic realm="a", Bearer realm="b"', [["basic", { realm: "a" }], ["bearer", { realm: "b" }]]],
  ['Negotiate, Basic realm="a"', [["negotiate", {}], ["basic", { realm: "a" }]]],
  ['Negotiate dG9rZW4=, Basic realm="a"', [["negotiate", {}], ["basic", { realm: "a" }]]],
  [String.raw`Basic realm="say \"hi\", \\ and go"`, [["basic", {
    realm: String.raw`say "hi", \ and go`,
  }]]],
  ['Bearer realm="first",realm="second"', [["bearer", { realm: "first" }]]],
  ['Bearer scope="a,b",,, realm="x"', [["bearer", { scope: "a,b", realm: "x" }]]],
  // What is malformed ends it; what came before counts.
  ['Basic realm="a", Bearer realm="open', [["basic", { realm: "a" }], ["bearer", {}]]],
  ["Basic realm=(), x=1", [["basic", {}]]],
  ['="x"', []],
  ['realm="no scheme"', []],
  ['"quoted"', []],
];

test("WWW-Authenticate headers", () => {
  for (const [header, expected] of CASES) {
    const got = parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
    assert.deepEqual(got, expected, header);
  }
});

test("no header hurts", () => {
  const piece = fc.constantFrom(
    "Bearer",
    " ",
    ",",
    "=",
    '"',
    "\\",
    "realm",
    "x",
    "\t",
    "é",
    "a=",
    "==",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(text, (header) => {
      const challenges = parseChallenges(header);
      assert.ok(challenges.length <= 8);
      for (const { scheme, parameters } of challenges) {
        assert.match(scheme, /^[!-~]+$/);
        assert.ok(parameters.size <= 16);
      }
    }),
    { numRuns: 2000 },
  );
});

test("a long header is read in bounded time and size", () => {
  const many = Array.from({ length: 5000 }, (_, index) => `S${index} a=b`).join(", ");
  assert.equal(parseChallenges(many).length, 8);
  const wide = `Bearer ${Array.from({ length: 500 }, (_, index) => `p${index}="v"`).join(",")}`;
  assert.equal(parseChallenges(wide)[0]?.parameters.size, 16);
  parseChallenges(`Bearer realm="${"\\".repeat(100_000)}`);
});

test("what a server sends is what is read", () => {
  const value = fc.string({ unit: "grapheme-ascii", maxLength: 40 });
  fc.assert(fc.property(value, value, (realm, service) => {
    const quote = (text: string) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
    const [challenge] = parseChallenges(`Bearer realm=${quote(realm)},service=${quote(service)}`);
    assert.equal(challenge?.parameters.get("realm"), realm);
    assert.equal(challenge?.parameters.get("service"), service);
  }));
});
