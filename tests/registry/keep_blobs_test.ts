import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import type { Layers } from "../../lib/ports/layers.ts";
import { test } from "../support/test.ts";
import { FROM_PEER, MANIFEST, setup } from "./setup.ts";

const ABSENT = digestOf("absent");

/** Notes what is kept; `expect` ends only once it is let go. */
function recorder() {
  const told: (readonly [what: "expected" | "served", digest: Digest])[] = [];
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  const layers: Layers = {
    expect(digest) {
      told.push(["expected", digest]);
      return held;
    },
    served: (digest) => void told.push(["served", digest]),
  };
  return { layers, told, release };
}

test("keep blobs: the answer begins once the blob is kept, whether a peer has it or nobody", async () => {
  const { layers, told, release } = recorder();
  const s = setup({}, { layers });
  let answers = 0;
  const held = s.store.add("content");
  const requests = [held, ABSENT].map(async (digest) => {
    const { status } = await s.request(`/v2/a/blobs/${digest}?ns=quay.io`);
    answers++;
    return status;
  });
  await new Promise((resolve) => setTimeout(resolve, 0));
  while (s.mirror.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(told, [["expected", held], ["expected", ABSENT]]);
  assert.equal(answers, 0);
  release();
  assert.deepEqual(await Promise.all(requests), [200, 404]);
});

test("keep blobs: what others ask for, only look at, or may not have is not kept", async (t) => {
  const cases = {
    "a peer": { init: { headers: FROM_PEER } },
    "a client elsewhere": { replaced: { isLocalClient: () => false } },
    "headers only": { init: { method: "HEAD" } },
    "a manifest": { path: `/v2/a/manifests/${ABSENT}?ns=quay.io` },
    "what a filter excludes": { options: { filter: () => false } },
  };
  for (const [name, one] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { init, options, path, replaced }: {
        init?: RequestInit;
        options?: Parameters<typeof setup>[0];
        path?: string;
        replaced?: Parameters<typeof setup>[1];
      } = one;
      const { layers, told, release } = recorder();
      release();
      const s = setup(options, { layers, ...replaced });
      await s.request(path ?? `/v2/a/blobs/${ABSENT}?ns=quay.io`, init);
      assert.deepEqual(told, []);
    });
  }
});

test("keep blobs: what peers get is noted, and nothing else", async () => {
  const { layers, told } = recorder();
  const s = setup({}, { layers });
  const blob = s.store.add("content");
  const manifest = s.store.add(MANIFEST);
  const ask = (path: string, method = "GET") =>
    s.request(`/v2/a/${path}?ns=quay.io`, { method, headers: FROM_PEER });
  for (
    const pending of [
      ask(`blobs/${blob}`),
      ask(`blobs/${blob}`, "HEAD"),
      ask(`blobs/${ABSENT}`),
      ask(`manifests/${manifest}`),
    ]
  ) {
    await (await pending).body?.cancel();
  }
  assert.deepEqual(told, [["served", blob]]);
});
