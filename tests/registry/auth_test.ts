import assert from "node:assert/strict";
import { basicAuthorization } from "../../lib/oci/basic_auth.ts";
import type { Credentials } from "../../lib/oci/credentials.ts";
import type { Access, PeerAuth } from "../../lib/ports/access.ts";
import { OciError } from "../../lib/oci/error.ts";
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

test("authentication: this mirror's own credentials are none for upstream", async () => {
  const old = basicAuthorization("user", "old");
  const asked: (Credentials | undefined)[] = [];
  const access: Access = {
    admit({ credentials }) {
      asked.push(credentials);
      return Promise.resolve({ type: "serve", verified: true });
    },
    isLocalClient: () => true,
    admitPeer: () => "open",
    admitNames: () => "open",
    learn: () => {},
  };
  const headers = [GOOD, old, `basic   ${GOOD.slice(6)} `, GOOD.replaceAll("=", "")];
  const s = setup({ authorizations: () => [GOOD, old] }, { access });
  for (const authorization of headers) {
    const response = await s.request("/v2/a/manifests/1", { headers: { authorization } });
    assert.equal(response.status, 404, authorization);
    await response.body?.cancel();
  }
  assert.deepEqual(asked, headers.map(() => undefined));
  const open = setup({}, { access });
  await open.request("/v2/a/manifests/1", { headers: { authorization: GOOD } });
  assert.deepEqual(asked.at(-1), { username: "user", password: "pass" });
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

test("reasons: only clients on this node and proven nodes are told why they get nothing", async () => {
  const peerAuth: PeerAuth = {
    sign: () => Promise.resolve({ id: "", headers: {} }),
    verify: ({ headers }) => Promise.resolve(headers.get("x-token") === "good" ? "id" : undefined),
    signAnswer: () => Promise.resolve({}),
    verifyAnswer: () => Promise.resolve(false),
  };
  const isLocalClient = (address: string) => address === "127.0.0.1";
  const s = setup({}, { peerAuth, isLocalClient });
  s.mirror.answer = () => {
    throw new OciError("SIZE_INVALID", "no such part", { status: 416, detail: { size: 7 } });
  };
  const path = `/v2/a/blobs/sha256:${"0".repeat(64)}`;
  const cases: [string, Record<string, string>, boolean][] = [
    ["127.0.0.1", {}, true],
    ["::ffff:127.0.0.1", FROM_PEER, true],
    ["10.0.0.9", {}, false],
    ["10.0.0.9", FROM_PEER, false],
    ["10.0.0.9", { ...FROM_PEER, "x-token": "bad" }, false],
    ["10.0.0.9", { ...FROM_PEER, "x-token": "good" }, true],
  ];
  for (const [hostname, headers, isTold] of cases) {
    const request = new Request(`http://node${path}`, {
      headers: { ...headers, range: "bytes=9-" },
    });
    const remoteAddr = { transport: "tcp" as const, hostname, port: 1 };
    const response = await s.app.fetch(request, { remoteAddr });
    const isPeer = "x-spegel-mirrored" in headers;
    assert.equal(response.status, isPeer ? 404 : 416);
    // What is no reason is for all.
    assert.equal(response.headers.get("content-range"), isPeer ? null : "bytes */7");
    const [error] = (await response.json()).errors;
    assert.equal("detail" in error, isTold, `${hostname} ${JSON.stringify(headers)}`);
    assert.ok(error.code && error.message);
  }
});
