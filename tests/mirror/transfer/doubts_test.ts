import assert from "node:assert/strict";
import { Doubts } from "../../../lib/mirror/transfer/doubts.ts";
import type { PeerClient } from "../../../lib/mirror/http/peer_client.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import type { Peer } from "../../../lib/ports/router.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";
import { blob, bytesOf, noise, PATIENT, Rig, STREAMED } from "../rig.ts";

const SMALL = noise(10_000);
const LARGE = noise(3 * 1024 * 1024);

for (const [name, content] of Object.entries({ small: SMALL, large: LARGE })) {
  test(`doubts: the only peer that sent a ${name} blob that is wrong is told, once`, async () => {
    await using rig = new Rig(PATIENT);
    const liar = rig.add(content, { lieAt: content.length - 5 });
    const request = blob(digestOf(content));
    const told = Promise.withResolvers<void>();
    const { requests } = liar;
    const push = requests.push.bind(requests);
    requests.push = (request) => {
      if (request.method === "HEAD") told.resolve();
      return push(request);
    };
    await bytesOf(await rig.fetch(request)).catch(() => {});
    await told.promise;
    const [asked, doubt, ...more] = liar.asked;
    assert.deepEqual(more, []);
    assert.equal(asked?.headers.get("x-eddy-doubt"), null);
    assert.deepEqual([doubt?.method, doubt?.path], ["HEAD", asked?.path]);
    assert.equal(doubt?.headers.get("x-eddy-doubt"), "true");
    assert.equal(doubt?.headers.get("x-spegel-mirrored"), "true");
  });
}

test("doubts: who died of two, or lied, is not told: it may have been the other", async () => {
  await using rig = new Rig({ ...PATIENT, ...STREAMED });
  const dies = rig.add(LARGE, { dieAt: 1024 * 1024, lieAt: 5 });
  const honest = rig.add(LARGE);
  await assert.rejects(bytesOf(await rig.fetch(blob(digestOf(LARGE)))));
  assert.deepEqual([...dies.asked, ...honest.asked].map(({ method }) => method), ["GET", "GET"]);
});

function rig() {
  const clock = new FakeClock();
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const client: Pick<PeerClient, "reach"> = {
    reach(peer, { path }, signal) {
      asked.push(`${peer.id} ${path}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      answers.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      return promise.then(() => ({ type: "failed" as const, ms: 1 }));
    },
  };
  const doubts = new Doubts({ client, health: { address: () => undefined }, clock });
  return { clock, asked, answers, doubts };
}

const peer = (id: string): Peer => ({ id, addresses: ["192.0.2.1"], registryPort: 5000 });

test("doubts: the same is told again after a minute only", async () => {
  const { clock, asked, answers, doubts } = rig();
  for (let time = 0; time < 2; time++) {
    doubts.tell(peer("a"), "/x");
    doubts.tell(peer("a"), "/x");
    answers.forEach((answer) => answer());
    await clock.advance(59_999);
    doubts.tell(peer("a"), "/x");
    await clock.advance(1);
  }
  assert.deepEqual(asked, ["a /x", "a /x"]);
  await doubts.close();
});

test("doubts: four are told at the same time, and none once it is closed", async () => {
  const { asked, doubts } = rig();
  for (const id of ["a", "b", "c", "d", "e"]) doubts.tell(peer(id), "/x");
  assert.deepEqual(asked, ["a /x", "b /x", "c /x", "d /x"]);
  await doubts.close();
  doubts.tell(peer("f"), "/x");
  assert.equal(asked.length, 4);
});
