import assert from "node:assert/strict";
import type { Admission } from "../../lib/ports/access.ts";
import { test } from "../support/test.ts";
import { authorizerRig, digestOf, type Holding, LOCAL, USER, WRONG } from "./authorizer_rig.ts";

const [A, B] = [digestOf("a"), digestOf("b")];
const OPEN = "docker.io/library/open";
const CLOSED = "ghcr.io/acme/closed";
const STRANGER = "192.0.2.1";
const CHALLENGE: Admission = { type: "challenge" };
const UNAUTHORIZED: Admission = { type: "refuse", reason: "unauthorized" };
const UNVERIFIED: Admission = { type: "serve", verified: false };
const found = (digest: typeof A): Admission => ({ type: "serve", digest, verified: true });

function holdings(): Record<string, Holding> {
  return {
    [OPEN]: { tags: { v1: A }, digests: [A] },
    [CLOSED]: { private: true, tags: { v1: B }, digests: [B] },
  };
}

const right = () => Promise.resolve(USER);
const wrong = () => Promise.resolve(WRONG);

test("the node's credentials stand for local clients that show none, and for nobody else", async () => {
  const { admit, upstream, repositories } = authorizerRig(holdings(), { nodeCredentials: right });
  assert.deepEqual(await admit(`${CLOSED}:v1`, undefined, STRANGER), UNAUTHORIZED);
  assert.deepEqual(await admit(`${CLOSED}:v1`), found(B));
  assert.deepEqual(await admit(`${CLOSED}@${B}`), { type: "serve", verified: true });
  assert.equal(repositories.visibility(CLOSED), "private", "it stays private");
  assert.deepEqual(await admit(`${CLOSED}:v1`, undefined, STRANGER), UNAUTHORIZED);
  assert.deepEqual(await admit(`${CLOSED}:v1`, WRONG), CHALLENGE, "what is shown goes first");
  upstream.trouble = "timeout";
  assert.deepEqual(await admit(`${CLOSED}:v1`, undefined, STRANGER), UNAUTHORIZED);
});

test("public images are asked about as anybody might", async () => {
  const { admit, upstream } = authorizerRig(holdings(), { nodeCredentials: right });
  assert.deepEqual(await admit(`${OPEN}:v1`), found(A));
  assert.deepEqual(upstream.questions.map((question) => question.split(" ")[0]), ["anybody"]);
});

test("where the node's credentials do not do, the client is asked for its own", async () => {
  for (const nodeCredentials of [wrong, () => Promise.resolve(undefined)]) {
    const { admit } = authorizerRig(holdings(), { nodeCredentials });
    assert.deepEqual(await admit(`${CLOSED}:v1`), CHALLENGE);
    assert.deepEqual(await admit(`${CLOSED}:v1`), CHALLENGE);
    assert.deepEqual(await admit(`${CLOSED}:v1`, USER), found(B));
  }
});

test("where all is shared, they tell what a private tag means", async () => {
  const shared = { auto: false, nodeCredentials: right };
  const { admit, upstream } = authorizerRig(holdings(), shared);
  assert.deepEqual(await admit(`${CLOSED}:v1`, undefined, LOCAL), found(B));
  assert.deepEqual(upstream.questions.length, 2);
  const without = authorizerRig(holdings(), { auto: false });
  assert.deepEqual(await without.admit(`${CLOSED}:v1`), UNVERIFIED);
  const useless = authorizerRig(holdings(), { auto: false, nodeCredentials: wrong });
  assert.deepEqual(await useless.admit(`${CLOSED}:v1`), UNVERIFIED);
});
