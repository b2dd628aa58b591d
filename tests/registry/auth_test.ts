import assert from "node:assert/strict";
import { basicAuthorization } from "../../lib/oci/basic_auth.ts";
import type { PeerAuth } from "../../lib/ports/access.ts";
import { test } from "../support/test.ts";
import { errorCode, FROM_PEER, setup } from "./setup.ts";

const GOOD = basicAuthorization("user", "pass");
const BAD = basicAuthorization("user", "wrong");

test("authentication: nothing below /v2/ is answered without credentials", async () => {
  const s = setup({ authorizations: () => [GOOD] });
  const digest = s.store.add("a blob");
  const paths = ["/v2/", "/v2", `/v2/a/blobs/${digest}`, "/v2/a/manifests/1", "/v2/nonsense"];
  for (const path of paths) {
    for (const headers of [{}, { authorization: BAD }, FROM_PEER]) {
      for (const method of ["GET", "HEAD"]) {
        const response = await s.request(path, { method, headers });
        assert.equal(response.status, 401, `${method} ${path}`);
        // containerd would answer a challenge with the user's credentials for upstream.
        assert.equal(response.headers.get("www-authenticate"), null);
        if (method === "GET") assert.equal(await errorCode(response), "UNAUTHORIZED");
        else assert.equal(await response.text(), "");
      }
    }
  }
  assert.deepEqual(s.mirror.requests, []);
  assert.ok(!JSON.stringify(s.log.lines).includes(BAD.slice(6)), "no credentials in the log");
});

test("authentication: with credentials all is as without authentication", async () => {
  const s = setup({ authorizations: () => [GOOD] });
  const digest = s.store.add("a blob");
  for (const headers of [{ authorization: GOOD }, { authorization: GOOD, ...FROM_PEER }]) {
    const response = await s.request(`/v2/a/blobs/${digest}`, { headers });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "a blob");
    assert.equal((await s.request("/v2/", { headers })).status, 200);
  }
});

test("authentication: probes need none", async () => {
  const s = setup({ authorizations: () => [GOOD] });
  for (const path of ["/livez", "/readyz"]) assert.equal((await s.request(path)).status, 200);
});

test("authentication: credentials are looked up at each request", async () => {
  let accepted: string[] = [];
  const s = setup({ authorizations: () => accepted });
  assert.equal((await s.request("/v2/")).status, 200);
  accepted = [GOOD];
  assert.equal((await s.request("/v2/")).status, 401);
  assert.equal((await s.request("/v2/", { headers: { authorization: GOOD } })).status, 200);
});

test("authentication: a node of the cluster needs no credentials, nobody else gets by", async () => {
  const peerAuth: PeerAuth = {
    sign: () => Promise.resolve({ id: "", headers: {} }),
    verify: ({ headers }) => Promise.resolve(headers.get("x-token") === "good" ? "id" : undefined),
    signAnswer: () => Promise.resolve({}),
    verifyAnswer: () => Promise.resolve(false),
  };
  const s = setup({ authorizations: () => [GOOD] }, { peerAuth });
  const path = `/v2/a/blobs/${s.store.add("a blob")}`;
  const cases: [Record<string, string>, number][] = [
    [{ ...FROM_PEER, "x-token": "good" }, 200],
    [{ ...FROM_PEER, "x-token": "bad" }, 401],
    [{ ...FROM_PEER, "x-token": "bad", authorization: GOOD }, 200],
    [{ "x-token": "good" }, 401],
  ];
  for (const [headers, status] of cases) {
    const response = await s.request(path, { headers });
    assert.equal(response.status, status, JSON.stringify(headers));
    await response.body?.cancel();
  }
});

test("secure peers: nodes are answered over secure connections alone, others over all", async () => {
  const s = setup({ securePeers: true });
  const digest = s.store.add("a blob");
  const path = `/v2/a/blobs/${digest}`;
  const plain = await s.request(path, { headers: FROM_PEER });
  assert.equal(plain.status, 403);
  assert.equal(await errorCode(plain), "DENIED");
  assert.equal((await s.request(path)).status, 200);
  assert.equal((await s.request("/readyz", { headers: FROM_PEER })).status, 200);
  const request = new Request(`http://node${path}`, { headers: FROM_PEER });
  assert.equal((await s.app.fetch(request, { secure: true })).status, 200);
  assert.equal((await s.app.fetch(request, { secure: false })).status, 403);
});

test("tags: a node is told since when a tag is what it is, others are not", async () => {
  const s = setup();
  const digest = s.store.add(JSON.stringify({ schemaVersion: 2, manifests: [] }));
  s.store.tag("docker.io/library/app:1", digest, 1_700_000_000_123);
  const path = "/v2/library/app/manifests/1?ns=docker.io";
  for (const method of ["GET", "HEAD"]) {
    const answer = await s.request(path, { method, headers: FROM_PEER });
    assert.equal(answer.headers.get("x-eddy-tag-time"), "1700000000123");
    await answer.body?.cancel();
  }
  const local = await s.request(path, { method: "HEAD" });
  assert.equal(local.headers.get("x-eddy-tag-time"), null);
  const byDigest = path.replace("manifests/1", `manifests/${digest}`);
  const other = await s.request(byDigest, { method: "HEAD", headers: FROM_PEER });
  assert.deepEqual([other.status, other.headers.get("x-eddy-tag-time")], [200, null]);
});
