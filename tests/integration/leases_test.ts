import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { ContainerdClient } from "../../lib/store/containerd/client.ts";
import { ContainerdContent } from "../../lib/store/containerd/content.ts";
import { ContainerdLeases } from "../../lib/store/containerd/containerd_leases.ts";
import { methods } from "../../lib/store/containerd/methods.ts";
import { leaseCases, type LeaseFixture } from "../store/lease_conformance.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import type { TestContext } from "../support/test.ts";
import { ContainerdRecords } from "./containerd_records.ts";
import { type ContainerdBinaries, RealContainerd, testEachContainerd } from "./real_containerd.ts";

const never = { signal: new AbortController().signal };
const LIFETIME_MS = 3_600_000;
/** How long a lease lasts that is about to end, ms: the collector must not come before its content. */
const ENDS_MS = 3_000;
/** Longest wait for the collector, ms. */
const COLLECT_MS = 20_000;

/** A client of one namespace, whose leases live by a clock that can be moved. */
function agents(containerd: RealContainerd, namespace: string) {
  const client = new ContainerdClient(containerd.socketPath, { namespace, callTimeoutMs: 5_000 });
  let now = Date.now();
  const fixture: LeaseFixture = {
    agent: () => new ContainerdLeases(client, { lifetimeMs: LIFETIME_MS, now: () => now }),
    advance: (ms) => void (now += ms),
    [Symbol.asyncDispose]: () => Promise.resolve(client.close()),
  };
  return { ...fixture, client };
}

async function withContainerd(
  binaries: ContainerdBinaries,
  run: (containerd: RealContainerd) => Promise<void>,
): Promise<void> {
  await using directory = await tempDirectory();
  const containerd = new RealContainerd(directory.path, binaries);
  await containerd.start();
  try {
    await run(containerd);
  } finally {
    await containerd.stop();
  }
}

async function conforms(t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await withContainerd(binaries, async (containerd) => {
    let count = 0;
    for (const { name, run } of leaseCases) {
      await t.step(name, async () => {
        await using fixture = agents(containerd, `case-${count++}`);
        await run(fixture);
      });
    }
  });
}

/** What the collector leaves of some content that no image has. */
async function survivors(
  { client }: ReturnType<typeof agents>,
  digests: readonly Digest[],
): Promise<boolean[]> {
  const records = new ContainerdRecords(client);
  const content = new ContainerdContent(client);
  const loose = digestOf("loose");
  await records.putContent(new TextEncoder().encode("loose"), "loose", {});
  const until = systemClock.now() + COLLECT_MS;
  // Once this is gone, the collector has been there.
  while (await content.info(loose, never) !== undefined) {
    assert.ok(systemClock.now() < until, "garbage is not collected");
    await records.collect(loose);
  }
  return await Promise.all(
    digests.map(async (digest) => await content.info(digest, never) !== undefined),
  );
}

async function keeps(_t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await withContainerd(binaries, async (containerd) => {
    await using fixture = agents(containerd, "k8s.io");
    const { client } = fixture;
    const records = new ContainerdRecords(client);
    const leases = fixture.agent();
    const layers = ["early", "late"].map((text) => digestOf(text)) as [Digest, Digest];
    await leases.keep(layers[0], never);
    await records.putContent(new TextEncoder().encode("early"), "early", {});
    const content = new ContainerdContent(client);
    // The collector may come in between, as it does when containerd has started.
    for (let put = 1; await content.info(layers[1], never) === undefined; put++) {
      await records.putContent(new TextEncoder().encode("late"), `late-${put}`, {});
      await leases.keep(layers[1], never);
    }
    assert.deepEqual(await survivors(fixture, layers), [true, true]);
    await leases.release(layers[1], never);
    assert.deepEqual(await survivors(fixture, layers), [true, false]);

    // The lease of somebody else is not ended, and keeps nothing for Eddy.
    const theirs = { id: "theirs", labels: { "containerd.io/gc.flat": "true" } };
    await client.call(methods.createLease, theirs, never);
    assert.equal((await leases.end(never)).length, 1);
    const { leases: left } = await client.call(methods.listLeases, { filters: [] }, never);
    assert.deepEqual(left.map(({ id }) => id), ["theirs"]);
    assert.deepEqual(await survivors(fixture, layers), [false, false]);
  });
}

async function ends(_t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await withContainerd(binaries, async (containerd) => {
    await using fixture = agents(containerd, "k8s.io");
    const { client } = fixture;
    const layer = digestOf("layer");
    // As if it had been renewed for the last time almost its lifetime ago.
    const { lifetimeMs } = fixture.agent();
    fixture.advance(ENDS_MS - lifetimeMs);
    await fixture.agent().keep(layer, never);
    await new ContainerdRecords(client).putContent(new TextEncoder().encode("layer"), "layer", {});
    const until = systemClock.now() + COLLECT_MS;
    while ((await survivors(fixture, [layer]))[0]) {
      assert.ok(systemClock.now() < until, "the lease does not end");
    }
    const { leases } = await client.call(methods.listLeases, { filters: [] }, never);
    assert.deepEqual(leases.map(({ id }) => id), []);
  });
}

const suites = {
  "passes the conformance suite of leases": conforms,
  "keeps content with a lease, until it is released": keeps,
  "collects what a lease keeps that has ended": ends,
};

for (const [name, run] of Object.entries(suites)) {
  await testEachContainerd((major) => `real containerd ${major}.x ${name}`, run);
}
