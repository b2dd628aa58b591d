import assert from "node:assert/strict";
import type { Digest } from "../../lib/oci/digest.ts";
import type { Reporter } from "../../lib/ports/integrity.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";
import { FROM_PEER, MANIFEST, setup } from "./setup.ts";

const DOUBT = { ...FROM_PEER, "x-eddy-doubt": "true" };

function rig(
  options: Parameters<typeof setup>[0] = {},
  replaced: Parameters<typeof setup>[1] = {},
) {
  const doubts: [Digest, Reporter | undefined][] = [];
  const integrity = { doubt: (digest: Digest, by?: Reporter) => void doubts.push([digest, by]) };
  const s = setup(options, { integrity, ...replaced });
  return { ...s, doubts };
}

test("integrity: another node's doubt of what it may have is passed on, and nobody else's", async () => {
  const s = rig();
  const digest = s.store.add("content");
  const path = `/v2/a/blobs/${digest}`;
  const cases: [headers: Record<string, string>, path: string, doubts: number][] = [
    [DOUBT, path, 1],
    [FROM_PEER, path, 0],
    [{ "x-eddy-doubt": "true" }, path, 0],
    [DOUBT, path.replace(/.$/, (last) => last === "0" ? "1" : "0"), 0],
  ];
  for (const [headers, path, doubts] of cases) {
    for (const method of ["HEAD", "GET"]) {
      s.doubts.length = 0;
      const response = await s.request(path, { method, headers });
      await response.body?.cancel();
      assert.equal(s.doubts.length, doubts, JSON.stringify([headers, path]));
    }
  }
  s.doubts.length = 0;
  await s.request(path, { method: "HEAD", headers: DOUBT });
  assert.deepEqual(s.doubts, [[digest, { address: "", proven: false }]]);
  const closed = rig({}, {
    access: {
      admit: () => Promise.resolve({ type: "serve", verified: true }),
      admitPeer: () => "refused-private",
      admitNames: () => "refused-private",
      isLocalClient: () => true,
      learn: () => {},
    },
  });
  closed.store.add("content");
  assert.equal((await closed.request(path, { method: "HEAD", headers: DOUBT })).status, 404);
  assert.deepEqual(closed.doubts, []);
});

test("integrity: a small blob that is not right is not served, from here", async () => {
  for (const headers of [{}, FROM_PEER]) {
    const s = rig({ smallBlobBytes: 1000 });
    const digest = s.store.add("content");
    s.store.damage(digest, "Content");
    const response = await s.request(`/v2/a/blobs/${digest}`, { headers });
    assert.equal(response.status, 404);
    assert.deepEqual(s.doubts, [[digest, undefined]]);
    assert.equal(s.mirror.requests.length, headers === FROM_PEER ? 0 : 1, "peers may have it");
  }
});

test("integrity: a small blob is hashed once a minute", async () => {
  const clock = new FakeClock();
  const s = rig({ smallBlobBytes: 1000 }, { clock });
  const digest = s.store.add("content");
  const get = async () => await (await s.request(`/v2/a/blobs/${digest}`)).text();
  assert.equal(await get(), "content");
  s.store.damage(digest, "Content");
  assert.equal(await get(), "Content");
  await clock.advance(60_001);
  assert.match(await get(), /BLOB_UNKNOWN/);
  assert.equal(s.doubts.length, 1);
});

test("integrity: a manifest that is not right is in doubt", async () => {
  const s = rig();
  const digest = s.store.add(MANIFEST);
  s.store.damage(digest, MANIFEST.replace(":2", ":3"));
  const response = await s.request(`/v2/a/manifests/${digest}`, { headers: FROM_PEER });
  assert.equal(response.status, 404);
  assert.deepEqual(s.doubts, [[digest, undefined]]);
});

test("integrity: a blob that ends early is in doubt, one that its client leaves is not", async () => {
  const s = rig();
  const digest = s.store.add("content");
  const path = `/v2/a/blobs/${digest}`;
  await (await s.request(path)).body?.cancel();
  assert.deepEqual(s.doubts, []);
  const { open } = s.store;
  s.store.open = async (digest, options) => {
    s.store.damage(digest, "cont");
    return await open.call(s.store, digest, options);
  };
  const response = await s.request(path);
  await assert.rejects(response.text());
  assert.deepEqual(s.doubts, [[digest, undefined]]);
});
