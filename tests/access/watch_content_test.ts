import assert from "node:assert/strict";
import type { Digest } from "../../lib/oci/digest.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import { test } from "../support/test.ts";
import { A, authorizerRig, B, C, type Holding, tell } from "./authorizer_rig.ts";

const CLOSED = "registry.test:5000/team/closed";
const HOLDINGS: Record<string, Holding> = {
  [CLOSED]: { private: true, tags: { v1: A }, digests: [A, B] },
  "docker.io/library/open": { tags: { v1: C }, digests: [C] },
};

async function watch(
  rig: ReturnType<typeof authorizerRig>,
  events: readonly StoreEvent[],
  held: readonly Digest[] = [A, B, C],
): Promise<StoreEvent[]> {
  return await Array.fromAsync(tell(rig, events, (digest) => held.includes(digest)));
}

function image(name: string, ...present: Digest[]) {
  return { name, target: present[0] ?? A, present };
}

function loose(digest: Digest): StoreEvent {
  const source = { registry: "registry.test", repository: "team/closed", portless: true };
  return { type: "content", digest, sources: [source] };
}

test("sources get the port that clients of this node asked with", async () => {
  const rig = authorizerRig(HOLDINGS);
  await rig.admit(`blob ${CLOSED}@${B}`);
  const [first, second] = await watch(rig, [loose(B), loose(A)]);
  assert.deepEqual(first, {
    type: "content",
    digest: B,
    sources: [{ registry: "registry.test:5000", repository: "team/closed" }],
  });
  assert.deepEqual(second, loose(A), "nobody asked for it");
  assert.equal(await rig.outsider(`blob ${CLOSED}@${B}`), "refused-private");
  assert.match(await rig.outsider(`blob ${CLOSED}@${A}`), /refused/);
});

test("content that is known by a label alone is proven, or refused, until its image is there", async () => {
  const rig = authorizerRig({
    ...HOLDINGS,
    "registry.test/team/closed": { tags: {}, digests: [B] },
  });
  await watch(rig, [{ type: "sync", images: [] }, loose(A), loose(B)]);
  assert.equal(await rig.outsider(`blob registry.test/team/closed@${B}`), "open");
  assert.equal(await rig.outsider(`blob registry.test/team/closed@${A}`), "refused-contested");
  await watch(rig, [{ type: "image", image: image(`${CLOSED}:v1`, A, B) }]);
  assert.equal(await rig.outsider(`blob ${CLOSED}@${A}`), "refused-private");
});

test("a repository that has no image any more is forgotten with its content, not before", async () => {
  const rig = authorizerRig(HOLDINGS);
  await watch(rig, [{
    type: "sync",
    images: [image(`${CLOSED}:v1`, A, B), image("docker.io/library/open:v1", C, B)],
  }]);
  assert.equal(await rig.outsider(`blob ${CLOSED}@${B}`), "refused-contested");
  const left = { type: "sync", images: [image("docker.io/library/open:v1", C, B)] } as const;
  await watch(rig, [{ type: "delete", name: `${CLOSED}:v1` }, left]);
  assert.equal(rig.repositories.visibility(CLOSED), "private");
  for (let index = 0; index < 20_000; index++) {
    rig.repositories.learn(`evil.example/${index}`, "public");
  }
  assert.equal(await rig.outsider(`blob docker.io/library/open@${B}`), "refused-contested");
  assert.equal(await rig.outsider(`${CLOSED}@${A}`), "refused-private");
  await watch(rig, [{ type: "sync", images: [image("docker.io/library/open:v1", C)] }], [C]);
  assert.equal(rig.content.claims(A), undefined);
  assert.equal(await rig.outsider(`docker.io/library/open@${C}`), "open");
});
