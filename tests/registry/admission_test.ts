import assert from "node:assert/strict";
import type { Digest } from "../../lib/oci/digest.ts";
import type { DistributionPath } from "../../lib/oci/path.ts";
import type {
  Access,
  AccessRequest,
  Admission,
  NodeRequest,
  Outsider,
  PeerAdmission,
  PeerAuth,
} from "../../lib/ports/access.ts";
import { test } from "../support/test.ts";
import { errorCode, FROM_PEER, MANIFEST, setup } from "./setup.ts";

/** Too large to be read whole before it is sent. */
const LARGE = "l".repeat(200_000);
const ABSENT: Digest = `sha256:${"0".repeat(64)}`;

/** Access that answers as told and notes what it is asked. */
class FakeAccess implements Access {
  readonly requests: AccessRequest[] = [];
  readonly learned: string[] = [];
  readonly peers: Outsider[] = [];
  admission: Admission = { type: "serve", verified: true };
  /** Of what a peer says is private. */
  suspected: Admission = { type: "challenge" };
  peerMay: PeerAdmission = "open";
  isLocal = true;

  admit(request: AccessRequest): Promise<Admission> {
    this.requests.push(request);
    return Promise.resolve(request.suspectedPrivate ? this.suspected : this.admission);
  }

  isLocalClient(): boolean {
    return this.isLocal;
  }

  admitPeer(_path: DistributionPath, _digest: Digest, outsider: Outsider): PeerAdmission {
    this.peers.push(outsider);
    return this.peerMay;
  }

  admitNames(): PeerAdmission {
    return this.peerMay;
  }

  learn(_reference: unknown, manifest: Uint8Array): void {
    this.learned.push(new TextDecoder().decode(manifest));
  }
}

function rig(peerAuth?: PeerAuth) {
  const access = new FakeAccess();
  const s = setup({}, { access, ...(peerAuth === undefined ? {} : { peerAuth }) });
  const digest = s.store.add(MANIFEST);
  s.store.tag("docker.io/app:1", digest);
  const reasons = () =>
    s.metrics.calls.filter(([name]) => name === "mirrorRequest").map(([, ...args]) => args);
  return { ...s, access, digest, reasons };
}

test("admission: a challenge names the scheme that containerd answers", async () => {
  const s = rig();
  s.access.admission = { type: "challenge" };
  const response = await s.request("/v2/app/manifests/1");
  assert.equal(response.status, 401);
  assert.equal(
    response.headers.get("www-authenticate"),
    'Basic realm="docker.io/app", charset="UTF-8"',
  );
  assert.equal(await errorCode(response), "UNAUTHORIZED");
  assert.deepEqual(s.reasons(), [["docker.io", "miss", "unauthorized"]]);
  assert.deepEqual(s.mirror.requests, []);
});

test("admission: shown credentials are refused for good, with words for the user and no realm", async () => {
  const s = rig();
  s.access.admission = { type: "challenge" };
  const headers = { authorization: `Basic ${btoa("user:wrong")}` };
  const response = await s.request("/v2/app/manifests/1", { headers });
  assert.equal(response.status, 401);
  assert.equal(
    response.headers.get("www-authenticate"),
    'Bearer error="docker.io refuses these credentials for app"',
  );
  assert.equal(await errorCode(response), "UNAUTHORIZED");
});

test("admission: what is refused is not looked for anywhere", async () => {
  for (const reason of ["absent-upstream", "unauthorized"] as const) {
    const s = rig();
    s.access.admission = { type: "refuse", reason };
    const response = await s.request("/v2/app/manifests/1");
    assert.equal(response.status, 404);
    assert.deepEqual(s.reasons(), [["docker.io", "miss", reason]]);
    assert.deepEqual(s.mirror.requests, []);
  }
});

test("admission: credentials reach the decision, never the log or the mirror", async () => {
  const s = rig();
  const authorization = `Basic ${btoa("user:pass:word")}`;
  await s.request(`/v2/app/blobs/${ABSENT}`, { headers: { authorization } });
  assert.deepEqual(s.access.requests[0]?.credentials, { username: "user", password: "pass:word" });
  assert.equal(s.mirror.requests.length, 1);
  assert.doesNotMatch(JSON.stringify([s.log.lines, s.mirror.requests]), /pass:word|dXNlcj/);
  for (const bad of ["Bearer x", "Basic", "Basic !!!", `Basic ${btoa("nocolon")}`]) {
    await s.request(`/v2/app/blobs/${ABSENT}`, { headers: { authorization: bad } });
    assert.equal(s.access.requests.at(-1)?.credentials, undefined, bad);
  }
});

test("admission: a verified tag is served by its digest, from here or from peers", async () => {
  const s = rig();
  s.access.admission = { type: "serve", verified: true, digest: s.digest };
  const here = await s.request("/v2/app/manifests/1");
  assert.equal(await here.text(), MANIFEST);
  assert.deepEqual(s.access.learned, [MANIFEST]);
  assert.ok(!s.metrics.calls.some(([name]) => name === "staleTag"));
  s.access.admission = { type: "serve", verified: true, digest: ABSENT };
  const moved = await s.request("/v2/app/manifests/1");
  assert.equal(moved.status, 404, "the old content is not served for the tag");
  assert.deepEqual(s.mirror.requests.map(({ reference }) => reference), [
    { registry: "docker.io", repository: "app", digest: ABSENT },
  ]);
  assert.equal(s.metrics.calls.filter(([name]) => name === "staleTag").length, 1);
});

test("admission: a tag that could not be verified is served and marked", async () => {
  const s = rig();
  s.access.admission = { type: "serve", verified: false };
  const response = await s.request("/v2/app/manifests/1");
  assert.equal(await response.text(), MANIFEST);
  const line = s.log.lines.find(({ message }) => message === "request");
  assert.equal(line?.fields["verified"], false);
});

test("admission: other nodes get only what they may, and are never sent to upstream", async () => {
  const proofs: unknown[] = [];
  const peerAuth: PeerAuth = {
    sign: (_request: NodeRequest) => Promise.resolve({ id: "", headers: {} }),
    verify: ({ method, path, headers }) => {
      proofs.push([method, path]);
      return Promise.resolve(headers.get("x-eddy-token") === "good" ? "id" : undefined);
    },
    signAnswer: (id, digest) => Promise.resolve({ "x-proof": `${id} ${digest}` }),
    refusal: (headers) => headers.has("x-eddy-token") ? { "x-term": "1" } : {},
    verifyAnswer: () => Promise.resolve(false),
  };
  const s = rig(peerAuth);
  const path = `/v2/app/manifests/${s.digest}?ns=docker.io`;
  for (const [token, authenticated] of [["good", true], ["bad", false]] as const) {
    const response = await s.request(path, { headers: { ...FROM_PEER, "x-eddy-token": token } });
    assert.equal(await response.text(), MANIFEST);
    assert.equal(response.headers.get("x-eddy-private"), null);
    assert.equal(s.access.peers.at(-1)?.proven, authenticated, token);
    assert.equal(response.headers.get("x-proof"), null, "a digest proves itself");
    assert.equal(response.headers.get("x-term"), authenticated ? null : "1");
    const headers = { ...FROM_PEER, "x-eddy-token": token };
    const tag = await s.request("/v2/app/manifests/1", { headers });
    assert.equal(tag.headers.get("x-proof"), authenticated ? `id ${s.digest}` : null);
    await tag.body?.cancel();
    const blob = s.store.add(LARGE);
    const large = await s.request(`/v2/app/blobs/${blob}`, { headers });
    assert.equal(large.headers.get("x-proof"), authenticated ? `id ${blob}` : null);
    await large.body?.cancel();
  }
  assert.deepEqual(proofs[0], ["GET", path]);
  assert.deepEqual(s.access.requests, []);
  s.access.peerMay = "private";
  const closed = await s.request(path, { headers: FROM_PEER });
  assert.equal(await closed.text(), MANIFEST);
  assert.equal(closed.headers.get("x-eddy-private"), "true");
  s.access.peerMay = "refused-private";
  const response = await s.request(path, { headers: FROM_PEER });
  assert.equal(response.status, 404);
  assert.equal(response.headers.get("www-authenticate"), null);
  const head = await s.request("/v2/app/manifests/1", { method: "HEAD", headers: FROM_PEER });
  assert.equal(head.status, 404);
  assert.equal(head.headers.get("docker-content-digest"), null);
});

/** A peer that says of all that it sends that it is private, and one that does not, if there is one. */
function peers(s: ReturnType<typeof rig>, { open }: { open: boolean }): void {
  s.mirror.answer = ({ openOnly, method }) =>
    openOnly && !open ? { found: false, reason: "peers-refused", attempts: 1 } : {
      found: true,
      descriptor: { digest: ABSENT, size: 5, mediaType: "application/octet-stream" },
      body: method === "HEAD" ? null : new Blob([openOnly ? "other" : "first"]).stream(),
      peer: openOnly ? "open" : "private",
      ...(openOnly ? {} : { isPrivate: true }),
    };
}

test("admission: what a peer says is private is served only if upstream gives it to the client", async () => {
  const s = rig();
  peers(s, { open: false });
  const path = `/v2/app/blobs/${ABSENT}`;
  const denials: [Admission, number][] = [
    [{ type: "challenge" }, 401],
    [{ type: "refuse", reason: "unauthorized" }, 404],
  ];
  for (const [suspected, status] of denials) {
    s.access.suspected = suspected;
    for (const method of ["GET", "HEAD"]) {
      const response = await s.request(path, { method });
      assert.equal(response.status, status, method);
      await response.body?.cancel();
    }
  }
  assert.deepEqual(s.access.requests.map(({ suspectedPrivate }) => suspectedPrivate).slice(0, 2), [
    false,
    true,
  ]);
  assert.deepEqual(s.reasons(), Array(4).fill(["docker.io", "miss", "unauthorized"]));
  s.access.suspected = { type: "serve", verified: true };
  const served = await s.request(path);
  assert.equal(await served.text(), "first");
  assert.equal(served.headers.get("x-eddy-private"), null, "it is for peers");
});

test("admission: a peer that lies about privacy costs no more than its own answer", async () => {
  const s = rig();
  peers(s, { open: true });
  for (const suspected of ["challenge", "refuse"] as const) {
    s.access.suspected = suspected === "challenge"
      ? { type: "challenge" }
      : { type: "refuse", reason: "unauthorized" };
    const response = await s.request(`/v2/app/blobs/${ABSENT}`);
    assert.equal(await response.text(), "other");
    const line = s.log.lines.findLast(({ message }) => message === "request");
    assert.equal(line?.fields["reason"], undefined);
  }
  assert.deepEqual(s.reasons(), Array(2).fill(["docker.io", "hit", ""]));
});

test("admission: a suspicious tag is served as upstream says, by its digest", async () => {
  const s = rig();
  const other: Digest = `sha256:${"1".repeat(64)}`;
  peers(s, { open: false });
  s.access.admission = { type: "serve", verified: false };
  s.access.suspected = { type: "serve", verified: true, digest: other };
  const response = await s.request("/v2/app/manifests/2");
  await response.body?.cancel();
  assert.deepEqual(s.mirror.requests.map(({ reference }) => reference.digest), [undefined, other]);
});

test("admission: of what may be private the headers come before a byte of a layer", async () => {
  const s = rig();
  peers(s, { open: false });
  const asked = () =>
    s.mirror.requests.splice(0).map(({ method, openOnly = false }) => `${method} ${openOnly}`);
  const path = `/v2/app/blobs/${ABSENT}`;
  await (await s.request(path)).body?.cancel();
  assert.deepEqual(asked(), ["GET true", "HEAD false", "GET true"], "denied");
  s.access.suspected = { type: "serve", verified: true, entitled: true };
  assert.equal(await (await s.request(path)).text(), "first");
  assert.deepEqual(asked(), ["GET true", "HEAD false", "GET false"], "allowed");
  s.access.admission = { type: "serve", verified: true, entitled: true };
  assert.equal(await (await s.request(path)).text(), "first");
  assert.deepEqual(asked(), ["GET false"], "its right is known before");
  s.access.admission = { type: "serve", verified: true };
  peers(s, { open: true });
  assert.equal(await (await s.request(path)).text(), "other");
  assert.deepEqual(asked(), ["GET true"], "public");
});

test("admission: content is private if the peer that sends it says so, whoever sent the headers", async () => {
  const s = rig();
  peers(s, { open: false });
  const { answer } = s.mirror;
  s.mirror.answer = async (request, options) => {
    const result = await answer(request, options);
    return request.method === "HEAD" && result.found ? { ...result, isPrivate: false } : result;
  };
  const path = `/v2/app/blobs/${ABSENT}`;
  const denied = await s.request(path);
  assert.equal(denied.status, 401);
  await denied.body?.cancel();
  s.access.suspected = { type: "serve", verified: true, entitled: true };
  assert.equal(await (await s.request(path)).text(), "first");
});

test("admission: a node that wants only what is open is not given more", async () => {
  const s = rig({
    sign: () => Promise.resolve({ id: "", headers: {} }),
    verify: () => Promise.resolve("id"),
    signAnswer: () => Promise.resolve({}),
    verifyAnswer: () => Promise.resolve(false),
  });
  const path = `/v2/app/manifests/${s.digest}`;
  for (const [open, openOnly] of [["true", true], ["false", false]] as const) {
    const response = await s.request(path, { headers: { ...FROM_PEER, "x-eddy-open": open } });
    await response.body?.cancel();
    const { proven, openOnly: wanted } = s.access.peers.at(-1) ?? {};
    assert.deepEqual([proven, wanted], [true, openOnly], open);
  }
});

test("admission: a stranger gets what is held and open, and nothing is looked for, asked or learned", async () => {
  const s = rig();
  s.access.isLocal = false;
  const held = ["/v2/app/manifests/1", `/v2/app/manifests/${s.digest}`];
  for (const path of held) assert.equal(await (await s.request(path)).text(), MANIFEST);
  assert.deepEqual(s.access.peers[0], {
    ...{ proven: false, openOnly: false, stranger: true, arriving: false },
  });
  s.access.peerMay = "refused-unknown";
  const others = [
    "/v2/app/manifests/2",
    `/v2/made/up/blobs/${ABSENT}`,
    `/v2/app/blobs/${s.digest}`,
  ];
  for (const path of [...held, ...others]) {
    const response = await s.request(path);
    assert.equal(response.status, 404, path);
    const { errors: [{ detail }] } = await response.json();
    assert.deepEqual(detail, { reason: "not held" }, path);
  }
  const refusals = s.log.lines.filter(({ message }) => message === "request")
    .map(({ fields }) => fields["withheld"]);
  assert.deepEqual(refusals.slice(2, 4), ["unknown", "unknown"], "the node's own log says why");
  assert.deepEqual(s.access.requests, []);
  assert.deepEqual(s.access.learned, []);
  assert.deepEqual(s.mirror.requests, []);
  assert.deepEqual(s.mirror.anticipated, []);
  assert.deepEqual(s.reasons(), []);
});
