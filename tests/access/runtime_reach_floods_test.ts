import assert from "node:assert/strict";
import { RuntimeReach } from "../../lib/access/runtime_reach.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import { A, B, OPEN, pathOf } from "./authorizer_rig.ts";

const V1 = `${OPEN}:v1`;
const HOUR_MS = 3_600_000;
/** The pause of kubelet before it repeats a pull that failed. */
const RETRY_MS = 10_000;
const signal = new AbortController().signal;

/** A node in an outage; `date.ms` is how far its date is from the right one. */
function outage(date = { ms: 0 }) {
  const clock = new FakeClock();
  const records = new Map<string, number>();
  const today = () => 1_700_000_000_000 + date.ms + clock.now();
  const store = { updatedAt: (name: string) => Promise.resolve(records.get(name)) };
  const reach = new RuntimeReach({ clock, log: new MemoryLog(), store, today });
  return {
    ...{ clock, records, today, reach },
    /** A client asks for a tag: whether it is refused. */
    async ask(name: string): Promise<boolean> {
      const path = pathOf(name);
      const { registry } = path.reference;
      reach.observe(registry, { type: "unavailable", reason: "unreachable" });
      const leaves = await reach.leaves(path.reference, { signal });
      reach.answered({ path, method: "HEAD" }, leaves ? undefined : A);
      return leaves;
    },
    /** A client fetches a digest that nobody named to it here. */
    fetch(repository: string) {
      reach.answered({ path: pathOf(`${repository}@${B}`), method: "GET" }, undefined);
    },
  };
}

test("a node whose date is too early takes no old record for a new pull", async () => {
  const { ask, clock, records, today } = outage();
  records.set(V1, today() + HOUR_MS);
  assert.equal(await ask(V1), true);
  await clock.advance(RETRY_MS);
  assert.equal(await ask(V1), false);
});

test("a date that is put right takes no old record for a new pull, and sees a new one", async () => {
  for (const [isNew, jumpMs] of [[false, 1e11], [true, 1e11], [true, -1e11]] as const) {
    const date = { ms: -jumpMs };
    const { ask, clock, records, today } = outage(date);
    if (!isNew) records.set(V1, today() + jumpMs - HOUR_MS);
    assert.equal(await ask(V1), true);
    date.ms = 0;
    await clock.advance(1000);
    if (isNew) records.set(V1, today());
    await clock.advance(RETRY_MS);
    assert.equal(await ask(V1), isNew, `${jumpMs}`);
  }
});

test("a client that names many registries does not make pulls of others fail", async () => {
  const { ask, clock, reach } = outage();
  assert.equal(await ask(V1), true);
  for (let i = 0; i < 300; i++) {
    reach.observe(`10.0.${i >> 8}.${i & 255}`, { type: "unavailable", reason: "forbidden" });
  }
  await clock.advance(RETRY_MS);
  assert.equal(await ask(V1), false);
  assert.equal(await ask("quay.io/acme/app:v1"), false, "one that is not known is served, too");
  await clock.advance(600_000);
  assert.equal(await ask("quay.io/acme/app:v1"), true, "later there is room again");
});

test("a client that names digests and many tags does not make pulls fail", async () => {
  const { ask, clock, fetch } = outage();
  let tags = 0;
  await ask("docker.io/evil/app:v1");
  fetch("docker.io/evil/app");
  assert.equal(await ask(V1), true, "it seems that the runtime has upstream");
  const flood = async () => {
    for (let i = 0; i < 200; i++) await ask(`docker.io/evil/app:${tags++}`);
    fetch("docker.io/evil/app");
  };
  const refused: boolean[] = [];
  for (let retry = 0; retry < 4; retry++) {
    await flood();
    await clock.advance(RETRY_MS);
    refused.push(await ask(V1));
  }
  assert.equal(refused.at(-1), false, `${refused}`);
});

test("a node that pulls very many tags in an outage after it had upstream gets them", async () => {
  const { ask, clock, fetch } = outage();
  await ask(V1);
  fetch(OPEN);
  await clock.advance(HOUR_MS);
  const names = Array.from({ length: 200 }, (_, i) => `docker.io/library/app${i}:v1`);
  for (const name of names) await ask(name);
  await clock.advance(RETRY_MS);
  for (const name of names) assert.equal(await ask(name), false, name);
});

test("a registry that comes and goes all the time is written down every ten minutes", async () => {
  const { clock, reach } = outage();
  const { revision } = reach;
  for (let minute = 0; minute < 60; minute++) {
    reach.observe("docker.io", { type: "unavailable", reason: "timeout" });
    reach.observe("docker.io", { type: "found", digest: A });
    await clock.advance(60_000);
  }
  assert.equal(reach.revision - revision, 6);
});
