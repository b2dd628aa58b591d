import assert from "node:assert/strict";
import type { Credentials } from "../../lib/oci/credentials.ts";
import type { Admission, PeerAdmission } from "../../lib/ports/access.ts";
import { test } from "../support/test.ts";
import {
  A,
  authorizerRig,
  B,
  C,
  CLOSED,
  D,
  holdings,
  LOCAL,
  OPEN,
  OUTAGES,
  pathOf,
  USER,
  WRONG,
} from "./authorizer_rig.ts";

const CHALLENGE: Admission = { type: "challenge" };
const UNAUTHORIZED: Admission = { type: "refuse", reason: "unauthorized" };
const ABSENT: Admission = { type: "refuse", reason: "absent-upstream" };
const SERVE: Admission = { type: "serve", verified: true };
const UNVERIFIED: Admission = { type: "serve", verified: false };

function serve(digest: string): Admission {
  return { type: "serve", digest, verified: true } as Admission;
}

test("a tag means what upstream says, asked once for a while", async () => {
  const { admit, upstream, clock, metrics } = authorizerRig(holdings());
  assert.deepEqual(await admit(`${OPEN}:v1`), serve(A));
  assert.deepEqual(await admit(`${OPEN}:v1`), serve(A));
  assert.equal(upstream.questions.length, 1);
  upstream.holdings[OPEN] = { tags: { v1: B }, digests: [A, B] };
  await clock.advance(29_999);
  assert.deepEqual(await admit(`${OPEN}:v1`), serve(A));
  await clock.advance(1);
  assert.deepEqual(await admit(`${OPEN}:v1`), serve(B), "moved tags are noticed");
  assert.deepEqual(await admit(`${OPEN}:gone`), ABSENT);
  const by = metrics.calls.filter(([name]) => name === "tagResolved").map(([, by]) => by);
  assert.deepEqual(by, ["upstream", "cache", "cache", "upstream"]);
});

test("a tag means what nodes hold while upstream cannot be asked", async () => {
  for (const trouble of OUTAGES) {
    const { admit, upstream, metrics } = authorizerRig(holdings());
    upstream.trouble = trouble;
    assert.deepEqual(await admit(`${OPEN}:v1`), UNVERIFIED, trouble);
    assert.ok(metrics.calls.some(([name, by]) => name === "tagResolved" && by === "unverified"));
    assert.ok(metrics.calls.some(([name, why]) => name === "upstreamRequest" && why === trouble));
  }
});

test("with the policy `peer` a public tag needs no question once the repository is known", async () => {
  const { admit, upstream } = authorizerRig(holdings(), { verifyTags: false });
  assert.deepEqual(await admit(`${OPEN}:v1`), UNVERIFIED);
  assert.deepEqual(await admit(`${OPEN}:v1`), UNVERIFIED);
  assert.equal(upstream.questions.length, 1);
  const shared = authorizerRig(holdings(), { verifyTags: false, auto: false });
  assert.deepEqual(await shared.admit(`${CLOSED}:v1`), UNVERIFIED);
  assert.equal(shared.upstream.questions.length, 0);
});

test("public content by digest costs one question for each repository", async () => {
  const { admit, upstream } = authorizerRig(holdings());
  for (const path of [`${OPEN}@${A}`, `${OPEN}@${B}`, `blob ${OPEN}@${B}`]) {
    assert.deepEqual(await admit(path), SERVE);
  }
  assert.equal(upstream.questions.length, 1);
});

test("a private image: asked for credentials, which upstream checks, once for a while", async () => {
  const { admit, upstream, clock } = authorizerRig(holdings());
  assert.deepEqual(await admit(`${CLOSED}:v1`), CHALLENGE);
  assert.deepEqual(await admit(`${CLOSED}:v1`, WRONG), CHALLENGE);
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER), serve(C));
  const asked = upstream.questions.length;
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER), serve(C));
  assert.deepEqual(await admit(`${CLOSED}@${C}`, USER), SERVE);
  assert.equal(upstream.questions.length, asked, "nothing new was asked");
  assert.deepEqual(await admit(`blob ${CLOSED}@${D}`, USER), SERVE);
  assert.deepEqual(await admit(`blob ${CLOSED}@${D}`, USER), SERVE);
  assert.equal(upstream.questions.length, asked + 1, "content is proved once");
  for (const credentials of [undefined, WRONG]) {
    assert.deepEqual(await admit(`${CLOSED}@${C}`, credentials), CHALLENGE);
    assert.deepEqual(await admit(`blob ${CLOSED}@${D}`, credentials), CHALLENGE);
  }
  await clock.advance(300_000);
  const before = upstream.questions.length;
  assert.deepEqual(await admit(`${CLOSED}@${C}`, USER), SERVE);
  assert.equal(upstream.questions.length, before + 1, "the grant has run out");
});

test("rights that were taken away end with the grant", async () => {
  const { admit, upstream, clock } = authorizerRig(holdings());
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER), serve(C));
  delete upstream.holdings[CLOSED];
  await clock.advance(300_000);
  assert.deepEqual(await admit(`${CLOSED}@${C}`, USER), CHALLENGE);
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER), CHALLENGE);
});

test("only clients of this node are asked for credentials, or make it ask or remember", async () => {
  const { admit, upstream, repositories } = authorizerRig(holdings());
  for (const address of ["10.0.0.7", "192.0.2.1", "2001:db8::1", ""]) {
    for (const name of [`${CLOSED}:v1`, `${OPEN}:v1`, `${OPEN}@${A}`, "evil.example/x:1"]) {
      assert.deepEqual(await admit(name, undefined, address), UNAUTHORIZED, address);
      assert.deepEqual(await admit(name, USER, address), UNAUTHORIZED, address);
    }
  }
  assert.deepEqual(upstream.questions, []);
  assert.equal(repositories.revision, 0);
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER, LOCAL), serve(C));
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER, "192.0.2.1"), UNAUTHORIZED);
});

test("with a cluster key nobody else is served at all", async () => {
  const { admit, upstream } = authorizerRig(holdings(), { localOnly: true });
  for (const name of [`${OPEN}:v1`, `${OPEN}@${A}`, `blob ${OPEN}@${B}`, `${CLOSED}:v1`]) {
    assert.deepEqual(await admit(name, USER, "192.0.2.1"), UNAUTHORIZED, name);
  }
  assert.deepEqual(upstream.questions, []);
  assert.deepEqual(await admit(`${OPEN}:v1`), serve(A));
});

test("what an open registry does not have is nobody's secret", async () => {
  const { admit } = authorizerRig(holdings());
  assert.deepEqual(await admit(`${OPEN}:gone`), ABSENT);
  assert.deepEqual(await admit(`${OPEN}@${D}`), SERVE, "nodes may still hold it");
  const guarded = authorizerRig({ [OPEN]: { guarded: true, tags: {}, digests: [] } });
  assert.deepEqual(await guarded.admit(`${OPEN}:gone`), CHALLENGE);
});

test("private content under another name is not to be had", async () => {
  const rig = authorizerRig(holdings());
  const { admit, claim, repositories } = rig;
  await admit(`${CLOSED}:v1`, USER);
  claim(CLOSED, D);
  // A public repository whose manifest names what is not its own.
  await admit(`${OPEN}:v1`);
  claim(OPEN, D);
  assert.equal(repositories.visibility(OPEN), "public");
  for (const name of [`blob ${OPEN}@${D}`, `${OPEN}@${C}`]) {
    assert.deepEqual(await admit(name), CHALLENGE, name);
    assert.deepEqual(await admit(name, USER), CHALLENGE, name);
  }
  // Another private repository, to which the client has a right.
  rig.upstream.holdings["ghcr.io/evil/app"] = { private: true, tags: { v1: B }, digests: [B] };
  claim("ghcr.io/evil/app", D);
  assert.deepEqual(await admit("ghcr.io/evil/app:v1", USER), serve(B));
  assert.deepEqual(await admit(`blob ghcr.io/evil/app@${D}`, USER), CHALLENGE);
  rig.upstream.trouble = "timeout";
  assert.deepEqual(await admit(`blob ${OPEN}@${D}`), UNAUTHORIZED);
  assert.deepEqual(await admit(`blob docker.io/library/new@${D}`), UNAUTHORIZED);
});

test("a layer that a private and a public repository share is public once upstream says so", async () => {
  const rig = authorizerRig(holdings());
  const { admit, claim, outsider, upstream } = rig;
  rig.upstream.holdings[CLOSED] = { private: true, tags: { v1: C }, digests: [C, B] };
  await admit(`${CLOSED}:v1`, USER);
  claim(CLOSED, B);
  await admit(`${OPEN}:v1`);
  claim(OPEN, B);
  upstream.trouble = "unreachable";
  assert.equal(await outsider(`blob ${OPEN}@${B}`), "refused-contested", "not proved yet");
  upstream.trouble = undefined;
  assert.deepEqual(await admit(`blob ${OPEN}@${B}`), SERVE);
  upstream.trouble = "unreachable";
  assert.equal(await outsider(`blob ${OPEN}@${B}`), "open");
});

test("private images while upstream is away", async () => {
  for (const allowOffline of [false, true]) {
    const { admit, upstream, clock, claim } = authorizerRig(holdings(), { allowOffline });
    await admit(`${CLOSED}:v1`, USER);
    claim(CLOSED, D);
    upstream.trouble = "unreachable";
    await clock.advance(600_000);
    const expected: Admission = allowOffline ? UNVERIFIED : UNAUTHORIZED;
    for (const name of [`${CLOSED}:v1`, `${CLOSED}@${C}`, `blob ${CLOSED}@${D}`]) {
      assert.deepEqual(await admit(name, USER), expected, `${name} ${allowOffline}`);
      assert.deepEqual(await admit(name, WRONG), UNAUTHORIZED, name);
      assert.deepEqual(await admit(name), CHALLENGE, name);
    }
    await clock.advance(24 * 3600_000);
    assert.deepEqual(await admit(`${CLOSED}:v1`, USER), UNAUTHORIZED, "24 hours are over");
  }
});

test("who was just let in is not locked out by an outage", async () => {
  const { admit, upstream, clock } = authorizerRig(holdings());
  await admit(`${CLOSED}:v1`, USER);
  upstream.trouble = "timeout";
  await clock.advance(60_000);
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER), UNVERIFIED);
  assert.deepEqual(await admit(`${CLOSED}:v1`, WRONG), UNAUTHORIZED);
});

test("an image whose repository nobody has asked about is served while upstream is away", async () => {
  const { admit, upstream } = authorizerRig(holdings());
  upstream.trouble = "unreachable";
  assert.deepEqual(await admit(`${CLOSED}:v1`), UNVERIFIED);
  assert.deepEqual(await admit(`${CLOSED}@${C}`), UNVERIFIED);
  const strict = authorizerRig(holdings(), { patterns: [`${CLOSED.split("/")[0]}/*`] });
  strict.upstream.trouble = "unreachable";
  assert.deepEqual(await strict.admit(`${CLOSED}:v1`), CHALLENGE);
  assert.deepEqual(await strict.admit(`${CLOSED}@${C}`), CHALLENGE);
});

test("an upstream that can never be asked is no outage: nothing unknown is served", async () => {
  const { admit, upstream, repositories } = authorizerRig(holdings());
  upstream.trouble = "misconfigured";
  assert.deepEqual(await admit(`${CLOSED}:v1`), CHALLENGE);
  assert.deepEqual(await admit(`${CLOSED}@${C}`), CHALLENGE);
  assert.deepEqual(await admit(`${CLOSED}@${C}`, USER), CHALLENGE);
  upstream.trouble = "forbidden";
  assert.deepEqual(await admit(`${CLOSED}@${C}`), UNAUTHORIZED);
  assert.equal(repositories.visibility(CLOSED), "unknown");
});

test("patterns are private without a question, everything else is public without `auto`", async () => {
  const rig = authorizerRig(holdings(), { auto: false, patterns: ["ghcr.io/acme/*"] });
  assert.deepEqual(await rig.admit(`${CLOSED}:v1`), CHALLENGE);
  assert.deepEqual(rig.upstream.questions, []);
  assert.deepEqual(await rig.admit(`${CLOSED}:v1`, USER), serve(C));
  assert.deepEqual(await rig.admit(`docker.io/library/unknown@${A}`), SERVE);
  assert.deepEqual(await rig.admit("docker.io/library/unknown:v1"), UNVERIFIED);
  rig.upstream.trouble = "unreachable";
  assert.deepEqual(await rig.admit("ghcr.io/acme/other:v1", USER), UNAUTHORIZED);
});

test("a repository that becomes public or private is noticed", async () => {
  const { admit, upstream, clock, repositories } = authorizerRig(holdings());
  await admit(`${CLOSED}:v1`, USER);
  const closed = holdings()[CLOSED] ?? { tags: {}, digests: [] };
  upstream.holdings[CLOSED] = { ...closed, private: false };
  assert.deepEqual(await admit(`${CLOSED}:v1`), CHALLENGE, "known as private for ten minutes");
  await clock.advance(600_000);
  assert.deepEqual(await admit(`${CLOSED}:v1`), serve(C));
  assert.equal(repositories.visibility(CLOSED), "public");
  upstream.holdings[CLOSED] = closed;
  await clock.advance(30_000);
  assert.deepEqual(await admit(`${CLOSED}:v1`), CHALLENGE, "the next question about a tag tells");
  await clock.advance(600_000);
  assert.deepEqual(await admit(`${CLOSED}@${C}`), CHALLENGE);
});

test("what other nodes get", async () => {
  const { admit, claim, outsider } = authorizerRig(holdings());
  await admit(`${CLOSED}:v1`, USER);
  await admit(`${OPEN}:v1`);
  claim(CLOSED, D);
  claim(OPEN, B);
  const cases: readonly (readonly [string, boolean, PeerAdmission])[] = [
    [`${OPEN}@${A}`, false, "open"],
    [`blob ${OPEN}@${B}`, false, "open"],
    [`${CLOSED}@${C}`, false, "refused-private"],
    [`${CLOSED}@${C}`, true, "private"],
    [`blob ${CLOSED}@${D}`, false, "refused-private"],
    [`blob ${CLOSED}@${D}`, true, "private"],
    // Under the name of another repository.
    [`blob ${OPEN}@${D}`, false, "refused-private"],
    [`blob ${OPEN}@${D}`, true, "refused-private"],
    [`blob docker.io/library/unknown@${D}`, true, "refused-private"],
    [`blob docker.io/library/unknown@${B}`, false, "open"],
  ];
  for (const [text, proven, expected] of cases) {
    assert.equal(await outsider(text, { proven }), expected, `${text} ${proven}`);
  }
  assert.equal(await outsider(`${CLOSED}:v1`, { digest: C }), "refused-private");
  assert.equal(await outsider(`${CLOSED}:v1`, { digest: C, proven: true }), "private");
  assert.equal(
    await outsider(`${CLOSED}:v1`, { digest: C, proven: true, openOnly: true }),
    "refused-private",
  );
});

test("nothing that is remembered or logged holds a password", async () => {
  const { admit, log, metrics, repositories } = authorizerRig(holdings());
  const secret = { username: "user", password: "right" };
  await admit(`${CLOSED}:v1`);
  await admit(`${CLOSED}:v1`, secret);
  await admit(`${CLOSED}:v1`, WRONG);
  const said = JSON.stringify([log.lines, metrics.calls, repositories.kept()]);
  assert.doesNotMatch(said, /right|wrong|dXNlcj/);
  assert.match(said, /"withCredentials":true/);
});

test("what a peer says is private is served only if upstream says that the client may have it", async () => {
  const { admit, upstream, repositories } = authorizerRig(holdings());
  const suspected = (text: string, credentials?: Credentials) =>
    admit(text, credentials, LOCAL, true);
  // Nobody has asked about the repository, and nobody can be asked.
  upstream.trouble = "unreachable";
  for (const text of [`${CLOSED}:v1`, `${CLOSED}@${C}`, `blob ${CLOSED}@${D}`, `${OPEN}@${A}`]) {
    assert.deepEqual(await admit(text, USER), UNVERIFIED, text);
    assert.deepEqual(await suspected(text), CHALLENGE, text);
    assert.deepEqual(await suspected(text, USER), UNAUTHORIZED, text);
    assert.deepEqual(await suspected(text, WRONG), UNAUTHORIZED, text);
    assert.deepEqual(await admit(text, USER, "192.0.2.1", true), UNAUTHORIZED, text);
  }
  assert.equal(repositories.visibility(CLOSED), "unknown", "a peer's word teaches nothing");
  assert.equal(repositories.revision, 0);
  upstream.trouble = undefined;
  assert.deepEqual(await suspected(`${OPEN}:v1`), serve(A));
  assert.deepEqual(await suspected(`${OPEN}@${B}`), SERVE);
  const asked = upstream.questions.length;
  for (let again = 0; again < 3; again++) {
    assert.deepEqual(await suspected(`${OPEN}:v1`), serve(A));
    assert.deepEqual(await suspected(`${OPEN}@${B}`), SERVE);
  }
  assert.equal(upstream.questions.length, asked, "a peer that lies costs one question");
  assert.deepEqual(await suspected(`${CLOSED}:v1`), CHALLENGE);
  assert.deepEqual(await suspected(`${CLOSED}:v1`, WRONG), CHALLENGE);
  assert.deepEqual(await suspected(`${CLOSED}:v1`, USER), serve(C));
  assert.deepEqual(await suspected(`${OPEN}@${D}`), CHALLENGE, "not what is named so upstream");
});

test("where nodes share what is private, or patterns say what is, peers need not", async () => {
  for (const patterns of [[], ["ghcr.io/acme/*"]]) {
    const { admit, upstream } = authorizerRig(holdings(), { auto: false, patterns });
    assert.deepEqual(await admit(`${OPEN}@${A}`, undefined, LOCAL, true), SERVE);
    assert.deepEqual(upstream.questions, []);
  }
});

test("who was let in within 24 hours is, on a peer's suspicion too, if that is allowed", async () => {
  const { admit, upstream, clock, claim } = authorizerRig(holdings(), { allowOffline: true });
  await admit(`${CLOSED}:v1`, USER);
  claim(CLOSED, D);
  upstream.trouble = "unreachable";
  await clock.advance(600_000);
  assert.deepEqual(await admit(`blob ${CLOSED}@${D}`, USER, LOCAL, true), UNVERIFIED);
  assert.deepEqual(await admit(`blob ${CLOSED}@${D}`, WRONG, LOCAL, true), UNAUTHORIZED);
});

test("what other nodes get of content that is still arriving", async () => {
  const { admit, content, outsider, upstream } = authorizerRig(holdings());
  await admit(`${CLOSED}:v1`, USER);
  await admit(`${OPEN}:v1`);
  const may = (text: string, proven = false) => outsider(text, { proven, arriving: true });
  // Nobody here has asked for it: there is no telling what it is of.
  assert.equal(await may(`blob ${OPEN}@${B}`), "refused-unknown");
  await admit(`blob ${OPEN}@${B}`);
  assert.equal(await may(`blob ${OPEN}@${B}`), "open");
  // Containerd goes on to upstream by itself where it is asked for credentials.
  assert.deepEqual(await admit(`blob ${CLOSED}@${D}`), { type: "challenge" });
  assert.deepEqual(content.named(D), []);
  for (
    const [text, proven, expected] of [
      [`blob ${OPEN}@${D}`, false, "refused-private"],
      [`blob ${OPEN}@${D}`, true, "refused-private"],
      [`blob ${CLOSED}@${D}`, false, "refused-private"],
      [`blob ${CLOSED}@${D}`, true, "private"],
    ] as const
  ) assert.equal(await may(text, proven), expected, `${text} ${proven}`);
  // A pod that asks for it under a public name does not open it.
  await admit(`blob ${OPEN}@${D}`, undefined, "10.0.0.7");
  assert.equal(await may(`blob ${OPEN}@${D}`), "refused-private");
  // Upstream cannot be asked what the repository is.
  upstream.trouble = "unreachable";
  await admit(`blob docker.io/library/unknown@${A}`);
  assert.equal(await may(`blob docker.io/library/unknown@${A}`), "open", "A is proven elsewhere");
  await admit(`blob docker.io/library/unknown@${B}`);
  assert.equal(await may(`blob docker.io/library/unknown@${B}`), "refused-unknown");
});

test("who is entitled to what is private: only those whose right was made sure of", async () => {
  const { admit, entitled, upstream } = authorizerRig(holdings());
  assert.deepEqual(await admit(`${OPEN}:v1`), serve(A));
  assert.deepEqual(await admit(`blob ${OPEN}@${B}`, USER), SERVE);
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER), serve(C));
  assert.deepEqual(await admit(`blob ${CLOSED}@${D}`, USER), SERVE);
  upstream.trouble = "timeout";
  assert.deepEqual(await admit(`${CLOSED}:v1`, USER), serve(C), "just let in");
  assert.deepEqual(await admit(`blob quay.io/who/knows@${B}`, USER), UNVERIFIED);
  assert.deepEqual(entitled, [false, false, true, true, true, false]);
});

test("a list is not left to the runtime, which does not ask for any", async () => {
  let asked = 0;
  const leaves = () => Promise.resolve(++asked > 0);
  const { authorizer, upstream } = authorizerRig(holdings(), { leaves });
  upstream.trouble = "unreachable";
  const request = { path: pathOf(`${OPEN}:v1`), credentials: undefined, clientAddress: LOCAL };
  const { signal } = new AbortController();
  const listing = await authorizer.admit({ ...request, isListing: true }, { signal });
  assert.deepEqual([listing.type, asked], ["serve", 0]);
  const pull = await authorizer.admit(request, { signal });
  assert.deepEqual([pull.type, asked], ["refuse", 1]);
});
