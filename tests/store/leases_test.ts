import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import { ContainerdLeases } from "../../lib/store/containerd/containerd_leases.ts";
import { MemoryLeases } from "../fakes/leases.ts";
import { test } from "../support/test.ts";
import { containerdFixture } from "./fixtures.ts";
import { leaseCases, type LeaseFixture } from "./lease_conformance.ts";

const never = { signal: new AbortController().signal };
const LAYER = digestOf("a layer");

function memoryFixture(): Promise<LeaseFixture> {
  let now = Date.now();
  const leases = new MemoryLeases(() => now);
  return Promise.resolve({
    agent: () => leases.another(),
    advance: (ms: number) => void (now += ms),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

async function fakeFixture() {
  const { fake, client, ...rest } = await containerdFixture();
  let now = Date.now();
  return {
    fake,
    agent: () => new ContainerdLeases(client, { lifetimeMs: 3_600_000, now: () => now }),
    advance: (ms: number) => void (now += ms),
    [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose](),
  };
}

const adapters = { memory: memoryFixture, containerd: fakeFixture };

for (const [adapter, make] of Object.entries(adapters)) {
  for (const { name, run } of leaseCases) {
    test(`leases: ${adapter} ${name}`, async () => {
      await using fixture = await make();
      await run(fixture);
    });
  }
}

test("leases: containerd's are named, and end by themselves", async () => {
  await using fixture = await fakeFixture();
  const leases = fixture.agent();
  await leases.keep(LAYER, never);
  const [id = ""] = Object.keys(fixture.fake.leases());
  assert.match(id, /^eddy-layers-\d+$/);
  assert.deepEqual(fixture.fake.leases(), { [id]: [LAYER] });
});

test("leases: a renewal in the first half of the lifetime makes no other lease", async () => {
  await using fixture = await fakeFixture();
  const leases = fixture.agent();
  await leases.keep(LAYER, never);
  fixture.advance(leases.lifetimeMs * 0.4);
  await leases.renew({ added: [], recorded: [LAYER] }, never);
  assert.equal(Object.keys(fixture.fake.leases()).length, 1);
});

test("leases: what a lease was deleted with is kept again", async () => {
  await using fixture = await fakeFixture();
  const leases = fixture.agent();
  await leases.keep(LAYER, never);
  const [id = ""] = Object.keys(fixture.fake.leases());
  fixture.fake.deleteLease(id);
  await leases.keep(digestOf("another"), never);
  assert.deepEqual(
    [...await leases.renew({ added: [], recorded: [LAYER] }, never)].sort(),
    [
      LAYER,
      digestOf("another"),
    ].sort(),
  );
});
