import assert from "node:assert/strict";
import type { Digest } from "../../lib/oci/digest.ts";
import type { Access, PeerAdmission } from "../../lib/ports/access.ts";
import type { Arrivals } from "../../lib/ports/arrivals.ts";
import { test } from "../support/test.ts";
import { FROM_PEER, MANIFEST, setup } from "./setup.ts";

const DIGEST: Digest = `sha256:${"a".repeat(64)}`;
const PATH = `/v2/app/blobs/${DIGEST}?ns=docker.io`;
const TEXT = "0123456789";

/** One blob that is arriving. */
function arrivals({ gone = false } = {}): Arrivals {
  return {
    hasArrived: () => Promise.resolve(true),
    find: (digest) =>
      Promise.resolve(
        digest !== DIGEST ? undefined : {
          size: TEXT.length,
          open: (range) =>
            Promise.resolve(
              gone ? undefined : streamOf(
                range === undefined ? TEXT : TEXT.slice(range.start, range.end + 1),
              ),
            ),
        },
      ),
  };
}

function streamOf(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from([new TextEncoder().encode(text)]);
}

function accessOf(admission: PeerAdmission) {
  const asked: unknown[][] = [];
  const access: Access = {
    admit: () => Promise.resolve({ type: "serve", verified: true }),
    isLocalClient: () => true,
    admitPeer: (...args) => {
      asked.push(args);
      return admission;
    },
    admitNames: () => admission,
    learn: () => {},
  };
  return { access, asked };
}

test("arriving: a peer gets what is on its way, with its length, marked as not verified", async () => {
  const s = setup({}, { arrivals: arrivals() });
  const response = await s.request(PATH, { headers: FROM_PEER });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-length"), "10");
  assert.equal(response.headers.get("docker-content-digest"), DIGEST);
  assert.equal(response.headers.get("x-eddy-arriving"), "true");
  assert.equal(await response.text(), TEXT);
  const head = await s.request(PATH, { method: "HEAD", headers: FROM_PEER });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-length"), "10");
});

test("arriving: a part, and one that there will never be", async () => {
  const s = setup({}, { arrivals: arrivals() });
  const part = await s.request(PATH, { headers: { ...FROM_PEER, range: "bytes=4-6" } });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get("content-range"), "bytes 4-6/10");
  assert.equal(await part.text(), "456");
  const beyond = await s.request(PATH, { headers: { ...FROM_PEER, range: "bytes=10-" } });
  assert.equal(beyond.status, 416);
});

test("arriving: only for peers, only blobs, only what can be read", async () => {
  const cases = [
    { path: PATH, headers: {}, why: "a client of this node goes on to upstream" },
    { path: PATH.replace("blobs", "manifests"), headers: FROM_PEER, why: "a manifest" },
    { path: PATH.replace("aa", "bb"), headers: FROM_PEER, why: "nothing of the kind arrives" },
    { path: PATH, headers: FROM_PEER, given: undefined, why: "switched off" },
    { path: PATH, headers: FROM_PEER, given: arrivals({ gone: true }), why: "it is gone" },
  ];
  for (const { path, headers, why, ...rest } of cases) {
    const s = setup({ maxUploads: 1 }, { arrivals: "given" in rest ? rest.given : arrivals() });
    for (let again = 0; again < 2; again++) {
      const response = await s.request(path, { headers });
      assert.equal(response.status, 404, why);
      await response.body?.cancel();
    }
  }
});

test("arriving: counts among uploads, and no longer once it is read", async () => {
  const s = setup({ maxUploads: 1 }, { arrivals: arrivals() });
  const first = await s.request(PATH, { headers: FROM_PEER });
  const second = await s.request(PATH, { headers: FROM_PEER });
  assert.equal(second.status, 429);
  await second.body?.cancel();
  assert.equal(await first.text(), TEXT);
  const third = await s.request(PATH, { headers: FROM_PEER });
  assert.equal(await third.text(), TEXT);
});

test("arriving: what is private there goes to nodes of the cluster alone", async () => {
  const refused = accessOf("refused-private");
  const closed = setup({}, { arrivals: arrivals(), access: refused.access });
  for (const method of ["GET", "HEAD"]) {
    const response = await closed.request(PATH, { method, headers: FROM_PEER });
    assert.equal(response.status, 404, method);
    assert.equal(response.headers.get("x-eddy-arriving"), null);
    await response.body?.cancel();
  }
  assert.deepEqual(refused.asked[0]?.slice(1), [DIGEST, {
    ...{ proven: false, openOnly: false, stranger: false, arriving: true },
  }]);
  const open = setup({}, { arrivals: arrivals(), access: accessOf("private").access });
  const response = await open.request(PATH, { headers: FROM_PEER });
  assert.equal(response.headers.get("x-eddy-private"), "true");
  assert.equal(await response.text(), TEXT);
});

test("arriving: what has arrived is served as ever", async () => {
  const s = setup({}, { arrivals: arrivals() });
  const digest = s.store.add(MANIFEST);
  const response = await s.request(`/v2/app/manifests/${digest}`, { headers: FROM_PEER });
  assert.equal(response.headers.get("x-eddy-arriving"), null);
  assert.equal(await response.text(), MANIFEST);
});
