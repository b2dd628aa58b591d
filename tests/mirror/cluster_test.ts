import assert from "node:assert/strict";
import type { ProvePeers } from "../../lib/mirror/http/peer_client.ts";
import type { NodeRequest, PeerAuth } from "../../lib/ports/access.ts";
import { test } from "../support/test.ts";
import { type Connect, connectTcp } from "../../lib/mirror/http/connect.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import type { Elections } from "../../lib/ports/rollout.ts";
import { FaultPeer, type Faults } from "./fault_peer.ts";
import { blob, bytesOf, manifest, noise, PATIENT, Rig } from "./rig.ts";

const IMAGE = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const OTHER = new TextEncoder().encode(
  JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { of: "somebody else" } }),
);
const TAG = "docker.io/library/app:1";

/** Of a cluster in which every answer to the request with the id `id` is proven by one word. */
class WordAuth implements Pick<PeerAuth, "sign" | "verifyAnswer"> {
  readonly signed: NodeRequest[] = [];

  sign(request: NodeRequest) {
    this.signed.push(request);
    return Promise.resolve({ id: "id", headers: { "x-token": "token" } });
  }

  verifyAnswer(id: string, { digest, headers }: Parameters<PeerAuth["verifyAnswer"]>[1]) {
    return Promise.resolve(headers.get("x-proof") === `${id} ${digest}`);
  }
}

function proof(content: Uint8Array): Record<string, string> {
  return { "x-proof": `id ${digestOf(content)}` };
}

test("in a cluster a tag means what a node of it says, not what others say", async () => {
  await using rig = new Rig(PATIENT, { peerAuth: new WordAuth() });
  const stranger = rig.add(OTHER, { headers: proof(IMAGE) }, TAG);
  assert.deepEqual(await rig.fetch(manifest("GET", "1")), {
    found: false,
    reason: "peers-refused",
    attempts: 1,
  });
  rig.add(IMAGE, { headers: proof(IMAGE) }, TAG);
  for (const method of ["HEAD", "GET"] as const) {
    const hit = await rig.fetch(manifest(method, "1"));
    assert(hit.found);
    assert.equal(hit.descriptor.digest, digestOf(IMAGE), method);
    await hit.body?.cancel();
  }
  assert.ok(stranger.asked.length >= 1);
});

test("in a cluster what has a digest is taken from whoever has it", async () => {
  await using rig = new Rig(PATIENT, { peerAuth: new WordAuth() });
  rig.add(IMAGE);
  for (const request of [manifest("GET", digestOf(IMAGE)), blob(digestOf(IMAGE))]) {
    assert.deepEqual(await bytesOf(await rig.fetch(request)), IMAGE);
  }
});

const LAYER = noise(3 * 1024 * 1024, 3);
const KNOWN: Faults = { headers: proof(LAYER) };
/** A layer above the limit, so that it is passed on as it comes. */
const ABOVE = { ...PATIENT, verifyWholeBytes: 1024 * 1024 };

/** Holders of a layer above the limit in the order in which they are asked, and who sends it. */
const KNOWN_FIRST: Record<string, { peers: Faults[]; peer: string; range?: string }> = {
  "a stranger first": { peers: [{}, KNOWN], peer: "peer-1" },
  "many strangers first": { peers: [{}, {}, {}, {}, {}, KNOWN], peer: "peer-5" },
  "a stranger alone": { peers: [{}], peer: "peer-0" },
  "one who is known and has it not": { peers: [{ status: 404 }, {}], peer: "peer-1" },
  "a part of it": { peers: [{}, KNOWN], peer: "peer-1", range: "bytes=100-2999999" },
};

for (const [name, { peers, peer, range }] of Object.entries(KNOWN_FIRST)) {
  test(`in a cluster what cannot be held comes from those who are known: ${name}`, async () => {
    await using rig = new Rig(ABOVE, { peerAuth: new WordAuth() });
    for (const faults of peers) rig.add(LAYER, faults);
    const hit = await rig.fetch(blob(digestOf(LAYER), range));
    assert(hit.found);
    assert.equal(hit.peer, peer);
    assert.deepEqual(await bytesOf(hit), range ? LAYER.slice(100, 3_000_000) : LAYER);
  });
}

test("in a cluster strangers go on only where nobody who is known does", async () => {
  await using rig = new Rig(ABOVE, { peerAuth: new WordAuth() });
  rig.add(LAYER, { ...KNOWN, dieAt: 1_000_000 });
  const stranger = rig.add(LAYER);
  rig.add(LAYER, { ...KNOWN, dieAt: 2_000_000 });
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LAYER)))), LAYER);
  const range = stranger.asked.at(-1)?.headers.get("range");
  assert.equal(range, `bytes=2000000-${LAYER.length - 1}`);
});

test("without a key or TLS nobody is known, and nobody is asked twice for that", async () => {
  await using rig = new Rig(ABOVE);
  const peer = rig.add(LAYER);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LAYER)))), LAYER);
  assert.equal(peer.asked.length, 1);
});

test("by TLS a peer is known, in the clear it is not", async () => {
  for (const [secure, asked] of [[false, 2], [true, 1]] as const) {
    const connect: Connect = async (place, signal) => ({
      ...await connectTcp(place, signal),
      secure,
    });
    await using rig = new Rig(ABOVE, { connect, connectsSecurely: true });
    const peer = rig.add(LAYER);
    assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LAYER)))), LAYER);
    assert.equal(peer.asked.length, asked, secure ? "once" : "put aside first");
  }
});

test("what is relayed to a node that was named to follow is passed on as it comes, if it is known", async () => {
  const arriving = { "x-eddy-arriving": "true" };
  for (const isKnown of [true, false]) {
    const named = new FaultPeer(
      "named",
      new Map([[digestOf(LAYER) as string, LAYER]]),
      { stallAt: 2_000_000, headers: { ...arriving, ...(isKnown ? proof(LAYER) : {}) } },
    );
    await using _closed = named;
    const elections: Elections = {
      assign: () => Promise.resolve({ type: "follow", peer: named.peer, depth: 0 }),
      gaveUp: () => {},
      expects: () => false,
    };
    await using rig = new Rig(PATIENT, { peerAuth: new WordAuth(), elections });
    const answer = await rig.fetch(blob(digestOf(LAYER)));
    assert.equal(answer.found, isKnown);
    await (answer.found ? answer.body?.cancel() : undefined);
  }
});

test("in a cluster the mirror's credentials stay here, even if a peer wants them", async () => {
  const peerAuth = new WordAuth();
  const authorizations = () => ["Basic bmV3", "Basic b2xk"];
  await using rig = new Rig(PATIENT, { peerAuth, authorizations });
  const headers = { "www-authenticate": 'Basic realm="bait"' };
  const bait = rig.add(IMAGE, { status: 401, headers });
  assert.equal((await rig.fetch(blob(digestOf(IMAGE)))).found, false);
  assert.ok(bait.asked.length > 0);
  for (const { headers } of bait.asked) {
    assert.equal(headers.get("authorization"), null);
    assert.equal(headers.get("x-token"), "token");
  }
  const [request] = peerAuth.signed;
  assert.equal(request?.address, "127.0.0.1", "where it is sent to");
  assert.equal(request?.peer, bait.peer.id);
});

test("in a cluster a peer that wants another proof gets it, once for each request", async () => {
  const cases = [{ terms: ["new"], good: true }, { terms: ["1", "2"], good: false }];
  for (const { terms, good } of cases) {
    const known: string[] = [];
    const peerAuth: ProvePeers = {
      sign() {
        const token = known.at(-1) ?? "old";
        const term = terms[known.length] ?? terms.at(-1) ?? "";
        peer.faults = token === "new" ? {} : { status: 404, headers: { "x-term": term } };
        return Promise.resolve({ id: "id", headers: { "x-token": token } });
      },
      renew(_request, _proof, headers) {
        const term = headers.get("x-term");
        if (term === null || term === known.at(-1)) return false;
        known.push(term);
        return true;
      },
      verifyAnswer: () => Promise.resolve(true),
    };
    await using rig = new Rig(PATIENT, { peerAuth });
    const peer = rig.add(IMAGE);
    const answer = await rig.fetch(blob(digestOf(IMAGE)));
    assert.equal(answer.found, good);
    await (answer.found ? answer.body?.cancel() : undefined);
    assert.equal(peer.asked.length, 2);
  }
});
