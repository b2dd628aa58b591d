import assert from "node:assert/strict";
import fc from "fast-check";
import { ClusterKey, parseClusterKeys } from "../../lib/access/cluster_key.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { NodeRequest } from "../../lib/ports/access.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const OLD = "old-".repeat(10);
const NEW = "new-".repeat(10);
const ADDRESS = "10.0.0.5";
const PATH = "/v2/acme/app/blobs/sha256:0?ns=ghcr.io";

function rig(keys: readonly string[], self: string) {
  const log = new MemoryLog();
  const clock = new FakeClock();
  /** How much it is ahead of the clock. */
  const time = { ms: 1_700_000_000_000 };
  const options = {
    self,
    addresses: () => [ADDRESS, "FD00:0::5"],
    today: () => time.ms + clock.now(),
  };
  const key = new ClusterKey(keys, { clock, log }, options);
  return { key, log, time, clock };
}

/** A request's proof to a node whose term is known. */
async function signed(
  from: ReturnType<typeof rig>,
  to: ReturnType<typeof rig>,
  request: Partial<NodeRequest> = {},
): Promise<Headers> {
  const whole = { ...{ method: "GET", path: PATH, peer: "b", address: ADDRESS }, ...request };
  const first = await from.key.sign(whole);
  from.key.renew(whole, first, new Headers(to.key.refusal(new Headers(first.headers))));
  return new Headers((await from.key.sign(whole)).headers);
}

/** Whether a node takes it for a request of its cluster. */
async function accepts(
  to: ReturnType<typeof rig>,
  request: { method?: string; path?: string; headers: Headers },
): Promise<boolean> {
  return await to.key.verify({ method: "GET", path: PATH, ...request }) !== undefined;
}

test("a token is good for its request, once, at its node", async () => {
  const a = rig([NEW], "a");
  const b = rig([NEW], "b");
  const headers = await signed(a, b);
  assert.equal(await accepts(b, { headers, method: "HEAD" }), false);
  assert.equal(await accepts(b, { headers, path: `${PATH}x` }), false);
  assert.equal(await accepts(rig([NEW], "c"), { headers }), false, "another node");
  assert.equal(await accepts(rig([OLD], "b"), { headers }), false, "another cluster");
  assert.equal(await accepts(b, { headers }), true);
  assert.equal(await accepts(b, { headers }), false, "replayed");
  assert.equal(await accepts(b, { headers: new Headers() }), false);
});

test("a token is good where it was sent to: whoever gets it cannot hand it on", async () => {
  const a = rig([NEW], "a");
  const b = rig([NEW], "b");
  for (
    const [address, good] of [["10.0.0.66", false], [ADDRESS, true], ["fd00::5", true]] as const
  ) {
    assert.equal(await accepts(b, { headers: await signed(a, b, { address }) }), good, address);
  }
});

test("what was used is not good again", async (step) => {
  type Node = ReturnType<typeof rig>;
  const cases: { name: string; meanwhile: (b: Node) => Promise<Node> | Node }[] = [
    { name: "after a restart", meanwhile: () => rig([NEW], "b") },
    {
      name: "after a restart of a node whose clock is behind",
      meanwhile: () => {
        const b = rig([NEW], "b");
        b.time.ms -= 60_000;
        return b;
      },
    },
    {
      name: "once the time of day is set back",
      meanwhile: async (b) => {
        await b.clock.advance(156_000);
        b.time.ms -= 156_000;
        return b;
      },
    },
    {
      name: "once it is set back little by little",
      meanwhile: async (b) => {
        for (let time = 0; time < 160; time++) {
          await b.clock.advance(1000);
          b.time.ms -= 1000;
          await accepts(b, { headers: new Headers() });
          b.key.refusal(new Headers({ "x-eddy-token": "x" }));
        }
        return b;
      },
    },
    {
      name: "when it is of a node that is ahead by the most, at the last moment",
      meanwhile: async (b) => {
        await b.clock.advance(149_000);
        return b;
      },
    },
  ];
  for (const { name, meanwhile } of cases) {
    await step.step(name, async () => {
      const a = rig([NEW], "a");
      a.time.ms += 60_000;
      const b = rig([NEW], "b");
      const headers = await signed(a, b);
      assert.equal(await accepts(b, { headers }), true);
      const later = await meanwhile(b);
      assert.equal(await accepts(later, { headers }), false);
      // A new one is, at once.
      a.time.ms = later.time.ms + later.clock.now();
      assert.equal(await accepts(later, { headers: await signed(a, later) }), true);
    });
  }
});

test("a term is told whoever shows a token of another, and no other", async () => {
  const a = rig([NEW], "a");
  const b = rig([NEW], "b");
  const request = { method: "GET", path: PATH, peer: "b", address: ADDRESS };
  assert.deepEqual(b.key.refusal(new Headers()), {}, "without a token");
  const first = await a.key.sign(request);
  assert.equal(await accepts(b, { headers: new Headers(first.headers) }), false);
  const refusal = new Headers(b.key.refusal(new Headers(first.headers)));
  assert.equal(a.key.renew(request, first, refusal), true);
  const second = await a.key.sign(request);
  assert.equal(a.key.renew(request, second, refusal), false, "it is named already");
  assert.equal(a.key.renew(request, first, new Headers()), false);
  for (const term of ["", "a b c d e f", "x".repeat(65)]) {
    const headers = new Headers({ "x-eddy-term": term });
    assert.equal(a.key.renew(request, second, headers), false, term);
  }
  // Whoever answers in its place at another address changes nothing.
  const elsewhere = { ...request, address: "10.0.0.66" };
  a.key.renew(
    elsewhere,
    await a.key.sign(elsewhere),
    new Headers({ "x-eddy-term": "1".repeat(8) }),
  );
  assert.equal(
    await accepts(b, { headers: new Headers((await a.key.sign(request)).headers) }),
    true,
  );
});

test("an answer proves what it was signed for, to whoever asked", async () => {
  const [a, b, stranger] = [rig([NEW, OLD], "a"), rig([OLD], "b"), rig(["other-".repeat(8)], "b")];
  const { id } = await a.key.sign({ method: "GET", path: PATH, peer: "b", address: ADDRESS });
  const digest: Digest = `sha256:${"1".repeat(64)}`;
  const other: Digest = `sha256:${"2".repeat(64)}`;
  const headers = new Headers(await b.key.signAnswer(id, digest));
  assert.equal(await a.key.verifyAnswer(id, { digest, headers }), true);
  assert.equal(await a.key.verifyAnswer(id, { digest: other, headers }), false, "another digest");
  assert.equal(await a.key.verifyAnswer("other", { digest, headers }), false, "another request");
  assert.equal(await a.key.verifyAnswer(id, { digest, headers: new Headers() }), false);
  const forged = new Headers(await stranger.key.signAnswer(id, digest));
  assert.equal(await a.key.verifyAnswer(id, { digest, headers: forged }), false, "without the key");
  const echoed = new Headers({ "x-eddy-answer": (await signed(a, b)).get("x-eddy-token") ?? "" });
  assert.equal(await a.key.verifyAnswer(id, { digest, headers: echoed }), false, "its own token");
  assert.equal(
    await accepts(b, {
      headers: new Headers({ "x-eddy-token": headers.get("x-eddy-answer") ?? "" }),
    }),
    false,
    "an answer is no request",
  );
  const dated = new Headers(await b.key.signAnswer(id, digest, "1700000000123"));
  assert.equal(await a.key.verifyAnswer(id, { digest, headers: dated }), false, "without its time");
  dated.set("x-eddy-tag-time", "1700000000123");
  assert.equal(await a.key.verifyAnswer(id, { digest, headers: dated }), true);
  dated.set("x-eddy-tag-time", "1800000000123");
  assert.equal(await a.key.verifyAnswer(id, { digest, headers: dated }), false, "another time");
  a.time.ms += 91_000;
  assert.equal(await a.key.verifyAnswer(id, { digest, headers }), false, "an old one");
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
      const headers = await signed(from, to);
      assert.equal(await accepts(to, { headers }), true);
    }
  }
  const a = rig([OLD], "a");
  const b = rig([NEW], "b");
  b.key.replace([NEW, OLD]);
  assert.equal(await accepts(b, { headers: await signed(a, b) }), true);
});

test("tokens age; clocks that differ are tolerated up to a minute, and reported", async () => {
  const cases = [[0, true, 0], [20, true, 0], [-20, true, 1], [80, true, 1], [91, false, 0], [
    -60,
    true,
    1,
  ], [
    -61,
    false,
    0,
  ], [100, false, 0]] as const;
  for (const [laterS, good, reports] of cases) {
    const a = rig([NEW], "a");
    const b = rig([NEW], "b");
    b.time.ms += laterS * 1000;
    const headers = await signed(a, b);
    assert.equal(await accepts(b, { headers }), good, `${laterS} s`);
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
        headers.set("x-eddy-answer", text);
      } catch {
        return;
      }
      assert.equal(await accepts(b, { headers }), false);
      const digest: Digest = `sha256:${"1".repeat(64)}`;
      assert.equal(await b.key.verifyAnswer("id", { digest, headers }), false);
    }),
    { numRuns: 500 },
  );
  const encode = (value: unknown) =>
    btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
  const claims = {
    m: "GET",
    p: PATH,
    a: ADDRESS,
    aud: "b",
    iss: "a",
    iat: 1_700_000_000,
    exp: 1_700_000_030,
  };
  for (const header of [{ alg: "none" }, { alg: "HS256" }]) {
    const token = `${encode(header)}.${encode({ ...claims, jti: "1" })}.`;
    const headers = new Headers({ "x-eddy-token": token });
    assert.equal(await accepts(b, { headers }), false);
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
