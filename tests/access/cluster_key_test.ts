import assert from "node:assert/strict";
import fc from "fast-check";
import { ClusterKey, parseClusterKeys } from "../../lib/access/cluster_key.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const OLD = "old-".repeat(10);
const NEW = "new-".repeat(10);
const PATH = "/v2/acme/app/blobs/sha256:0?ns=ghcr.io";

function rig(keys: readonly string[], self: string) {
  const log = new MemoryLog();
  const time = { ms: 1_700_000_000_000 };
  const key = new ClusterKey(keys, { clock: new FakeClock(), log }, { self, today: () => time.ms });
  return { key, log, time };
}

async function signed(
  from: ReturnType<typeof rig>,
  request = { method: "GET", path: PATH, peer: "b" },
): Promise<Headers> {
  return new Headers(await from.key.sign(request));
}

test("a token is good for its request, once, at its node", async () => {
  const a = rig([NEW], "a");
  const b = rig([NEW], "b");
  const headers = await signed(a);
  const request = { method: "GET", path: PATH, headers };
  assert.equal(await b.key.verify({ ...request, method: "HEAD" }), false);
  assert.equal(await b.key.verify({ ...request, path: `${PATH}x` }), false);
  assert.equal(await rig([NEW], "c").key.verify(request), false, "another node");
  assert.equal(await rig([OLD], "b").key.verify(request), false, "another cluster");
  assert.equal(await b.key.verify(request), true);
  assert.equal(await b.key.verify(request), false, "replayed");
  assert.equal(await b.key.verify({ ...request, headers: new Headers() }), false);
});

test("keys are replaced one node after the other", async () => {
  const steps = [
    [[OLD], [OLD]],
    [[OLD, NEW], [OLD]],
    [[OLD, NEW], [OLD, NEW]],
    [[NEW, OLD], [
      OLD,
      NEW,
    ]],
    [[NEW, OLD], [NEW]],
    [[NEW], [NEW]],
  ] as const;
  for (const [first, second] of steps) {
    const a = rig(first, "b");
    const b = rig(second, "b");
    for (const [from, to] of [[a, b], [b, a]] as const) {
      const headers = await signed(from);
      assert.equal(await to.key.verify({ method: "GET", path: PATH, headers }), true);
    }
  }
  const a = rig([OLD], "a");
  const b = rig([NEW], "b");
  b.key.replace([NEW, OLD]);
  assert.equal(await b.key.verify({ method: "GET", path: PATH, headers: await signed(a) }), true);
});

test("tokens age; clocks that differ are tolerated up to a minute, and reported", async () => {
  const cases = [[0, true, 0], [20, true, 0], [-20, true, 1], [80, true, 1], [91, false, 0], [
    -61,
    true,
    1,
  ], [100, false, 0]] as const;
  for (const [laterS, good, reports] of cases) {
    const a = rig([NEW], "a");
    const b = rig([NEW], "b");
    b.time.ms += laterS * 1000;
    const headers = await signed(a);
    assert.equal(await b.key.verify({ method: "GET", path: PATH, headers }), good, `${laterS} s`);
    assert.equal(b.log.lines.length, reports, `${laterS} s`);
  }
});

test("nothing but a token of the cluster counts", async () => {
  const b = rig([NEW], "b");
  const part = fc.string({ unit: fc.constantFrom(..."eyJhbGciOi.-_=") });
  await fc.assert(
    fc.asyncProperty(fc.oneof(part, fc.string({ unit: "grapheme-ascii" })), async (text) => {
      const headers = new Headers();
      try {
        headers.set("x-eddy-token", text);
      } catch {
        return;
      }
      assert.equal(await b.key.verify({ method: "GET", path: PATH, headers }), false);
    }),
    { numRuns: 500 },
  );
  const encode = (value: unknown) =>
    btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
  const claims = { m: "GET", p: PATH, aud: "b", iss: "a", iat: 1_700_000_000, exp: 1_700_000_030 };
  for (const header of [{ alg: "none" }, { alg: "HS256" }]) {
    const token = `${encode(header)}.${encode({ ...claims, jti: "1" })}.`;
    const headers = new Headers({ "x-eddy-token": token });
    assert.equal(await b.key.verify({ method: "GET", path: PATH, headers }), false);
  }
});

test("key files", () => {
  assert.deepEqual(parseClusterKeys(`# first\n${NEW}\n\n  ${OLD}  \n`), [NEW, OLD]);
  for (const text of ["", "# none\n", "short\n", `${NEW}\n${OLD}\n${NEW}\n`, `${NEW}\nshort`]) {
    assert.throws(() => parseClusterKeys(text), (error: Error) => {
      return !error.message.includes("new-") && !error.message.includes("short");
    });
  }
});
