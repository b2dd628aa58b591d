import assert from "node:assert/strict";
import { keepReach, loadReach } from "../../lib/access/keep_reach.ts";
import { RuntimeReach } from "../../lib/access/runtime_reach.ts";
import type { UpstreamAnswer, UpstreamTrouble } from "../../lib/ports/access.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { A, B, OPEN, OUTAGES, pathOf } from "./authorizer_rig.ts";

const REGISTRY = "docker.io";
const V1 = `${OPEN}:v1`;
const V2 = `${OPEN}:v2`;
const OTHER = "docker.io/library/other:v1";
/** The pauses of kubelet before it repeats a pull that failed. */
const RETRY_MS = 10_000;
/** Trouble that a pod may have and its node not. */
const LOCAL: readonly UpstreamTrouble[] = [
  "timeout",
  "unreachable",
  "unresolved",
  "misconfigured",
  "forbidden",
];
const FOUND: UpstreamAnswer = { type: "found", digest: A };
const signal = new AbortController().signal;

function reachRig(startMs = 0) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  /** When images were recorded, by the time of day. */
  const records = new Map<string, number>();
  const today = () => 1_700_000_000_000 + startMs + clock.now();
  const store = { updatedAt: (name: string) => Promise.resolve(records.get(name)) };
  const reach = new RuntimeReach({ clock, log, store, today });
  return {
    ...{ clock, log, reach },
    trouble: (reason: UpstreamTrouble, because?: UpstreamTrouble) =>
      reach.observe(REGISTRY, { type: "unavailable", reason, because }),
    found: () => reach.observe(REGISTRY, FOUND),
    /** A client asks for a tag: whether it is left to the runtime, or else answered by a peer. */
    async ask(name: string, peers: "have it" | "lack it" = "have it"): Promise<boolean> {
      const path = pathOf(name);
      const leaves = await reach.leaves(path.reference, { signal });
      const digest = leaves || peers === "lack it" ? undefined : A;
      reach.answered({ path, method: "HEAD" }, digest);
      return leaves;
    },
    /** The runtime asks for a manifest by digest. */
    request(digest: string, method: "GET" | "HEAD" = "GET", answer: string | undefined = digest) {
      reach.answered({ path: pathOf(`${OPEN}@${digest}`), method }, answer);
    },
    record: (name: string) => records.set(name, today()),
    runtime: () => reach.report().map(({ runtime }) => runtime),
    warnings: () => log.lines.filter(({ level }) => level === "warn"),
  };
}

test("a registry that only the runtime reaches: tags are left to it, with one warning", async () => {
  for (const trouble of LOCAL) {
    const { ask, request, warnings, runtime, clock, ...rig } = reachRig();
    rig.trouble(trouble);
    assert.equal(await ask(V1), true, trouble);
    // It knows from upstream what the tag means, and asks here for the content first.
    await clock.advance(200);
    request(B);
    assert.deepEqual(runtime(), ["reaches"]);
    for (const name of [V1, V2, OTHER]) assert.equal(await ask(name), true);
    await clock.advance(3_600_000);
    rig.trouble("circuit-open", trouble);
    assert.equal(await ask(OTHER), true, "for as long as nothing speaks against it");
    assert.equal(warnings().length, 1);
    assert.equal(warnings()[0]?.fields["reason"], trouble);
    assert.notEqual(warnings()[0]?.fields["fix"], "");
  }
});

test("a finished pull proves it, too, when all content was here", async () => {
  const { ask, clock, record, runtime, ...rig } = reachRig();
  record(V1);
  await clock.advance(1000);
  rig.trouble("unreachable");
  assert.equal(await ask(V1), true);
  await clock.advance(100);
  record(V1);
  await clock.advance(RETRY_MS);
  assert.equal(await ask(OTHER), true);
  assert.deepEqual(runtime(), ["reaches"]);
});

test("a true outage: one attempt of the runtime, then what nodes have", async () => {
  const { ask, clock, runtime, warnings, ...rig } = reachRig();
  rig.trouble("unreachable");
  assert.equal(await ask(V1), true);
  assert.equal(await ask(OTHER), true, "of pods that start together no one is told something old");
  await clock.advance(RETRY_MS);
  assert.equal(await ask(OTHER), false);
  assert.equal(await ask(V1), false);
  assert.deepEqual(runtime(), ["fails"]);
  for (const pauseMs of [15, 30, 60].map((minutes) => minutes * 60_000)) {
    await clock.advance(pauseMs - RETRY_MS - 1);
    assert.equal(await ask(V2), false, `${pauseMs} ms have not passed`);
    await clock.advance(1);
    assert.equal(await ask(V2), true, `after ${pauseMs} ms it is tried again`);
    await clock.advance(RETRY_MS);
    assert.equal(await ask(V2), false);
  }
  assert.equal(warnings().length, 0);
});

test("nobody repeats the attempt: it is over after a moment all the same", async () => {
  const { ask, clock, ...rig } = reachRig();
  rig.trouble("timeout");
  assert.equal(await ask(V1), true);
  await clock.advance(RETRY_MS);
  assert.equal(await ask(OTHER), false);
});

test("a registry that answered today is away for everybody", async () => {
  for (const trouble of OUTAGES) {
    const { ask, clock, ...rig } = reachRig();
    rig.found();
    await clock.advance(23 * 3_600_000);
    rig.trouble(trouble);
    assert.equal(await ask(V1), false, trouble);
  }
  const { ask, clock, ...rig } = reachRig();
  rig.found();
  rig.trouble("unreachable");
  await clock.advance(3_599_999);
  assert.equal(await ask(V1), false);
  await clock.advance(1);
  assert.equal(await ask(V2), true, "a policy may have come since");
});

test("a certificate that is no longer trusted is no outage, whatever was before", async () => {
  const { ask, ...rig } = reachRig();
  rig.found();
  rig.trouble("misconfigured");
  assert.equal(await ask(V1), true);
});

test("a registry that fails or limits this node is reached, so nothing is tried", async () => {
  for (const trouble of ["broken", "limited"] as const) {
    const { ask, reach, ...rig } = reachRig();
    rig.trouble(trouble);
    assert.equal(await ask(V1), false, trouble);
    rig.trouble("circuit-open", trouble);
    assert.equal(await ask(V1), false, trouble);
    assert.deepEqual(reach.report(), []);
  }
});

test("what was learned ends when upstream can be asked", async () => {
  const { ask, request, reach, log, ...rig } = reachRig();
  rig.trouble("unreachable");
  await ask(V1);
  request(B);
  rig.found();
  assert.deepEqual(reach.report(), []);
  rig.trouble("unreachable");
  assert.equal(await ask(V1), false, "this is an outage now");
  assert.ok(log.lines.some(({ message }) => message === "upstream can be asked"));
});

test("the runtime loses the registry, too: its first retry gets what nodes have", async () => {
  const { ask, clock, request, runtime, ...rig } = reachRig();
  rig.trouble("unresolved");
  await ask(V1);
  request(B);
  await clock.advance(600_001);
  assert.equal(await ask(V1), true);
  await clock.advance(RETRY_MS);
  assert.equal(await ask(V1), false);
  assert.deepEqual(runtime(), ["fails"]);
});

test("a pull that takes its time is not taken for one that failed", async () => {
  const { ask, clock, request, runtime, ...rig } = reachRig();
  rig.trouble("unreachable");
  await ask(V1);
  request(B);
  await clock.advance(60_000);
  assert.equal(await ask(V1), true, "another pod of the same image");
  assert.deepEqual(runtime(), ["reaches"]);
});

test("a digest that the runtime may have from here, or from a pod, proves nothing", async () => {
  const named = reachRig();
  named.trouble("unreachable");
  await named.ask(V1);
  await named.clock.advance(RETRY_MS);
  assert.equal(await named.ask(V1), false);
  await named.ask(V2, "lack it");
  named.request(A);
  assert.deepEqual(named.runtime(), ["fails"]);

  const asked = reachRig();
  asked.trouble("unreachable");
  await asked.ask(V1);
  asked.request(B, "HEAD");
  asked.request(B);
  assert.deepEqual(asked.runtime(), ["unknown"], "a pod that names a digest");

  const late = reachRig();
  late.trouble("unreachable");
  await late.ask(V1);
  await late.clock.advance(120_000);
  late.request(B);
  assert.deepEqual(late.runtime(), ["unknown"]);
});

test("a digest that nobody has here: to fetch it is proof of upstream", () => {
  const { reach, request, runtime, ...rig } = reachRig();
  rig.trouble("unreachable");
  reach.answered({ path: pathOf(`${OPEN}@${B}`), method: "HEAD" }, undefined);
  request(B);
  assert.deepEqual(runtime(), ["reaches"]);
});

test("after two failures only a finished pull counts: others may ask for digests", async () => {
  const { ask, clock, request, record, runtime, ...rig } = reachRig();
  rig.trouble("unreachable");
  for (const name of [V1, V2]) {
    assert.equal(await ask(name, "lack it"), true);
    await clock.advance(RETRY_MS);
    assert.equal(await ask(name, "lack it"), false);
    await clock.advance(1_800_000);
  }
  await ask(V1, "lack it");
  request(B);
  assert.deepEqual(runtime(), ["fails"]);
  await ask(OTHER, "lack it");
  await clock.advance(1000);
  record(OTHER);
  assert.equal(await ask(V1), true);
  assert.deepEqual(runtime(), ["reaches"]);
});

test("a store that gives no answer proves nothing, and a client that left is not waited for", async () => {
  const clock = new FakeClock();
  const store = { updatedAt: () => Promise.reject(new Error("containerd is away")) };
  const reach = new RuntimeReach({ clock, log: new MemoryLog(), store });
  reach.observe(REGISTRY, { type: "unavailable", reason: "unreachable" });
  const path = pathOf(V1);
  reach.answered({ path, method: "HEAD" }, undefined);
  await clock.advance(RETRY_MS);
  assert.equal(await reach.leaves(path.reference, { signal }), false, "the runtime failed, too");
  reach.answered({ path, method: "HEAD" }, undefined);
  const gone = AbortSignal.abort(new Error("gone"));
  await assert.rejects(reach.leaves(path.reference, { signal: gone }), /gone/);
});

test("a hiccup of a registry that answers is not warned of, one that lasts is", async () => {
  const { ask, clock, request, warnings, runtime, ...rig } = reachRig();
  rig.found();
  rig.trouble("timeout");
  assert.equal(await ask(V1, "lack it"), false);
  request(B);
  assert.deepEqual(runtime(), ["reaches"]);
  assert.equal(await ask(V2), true, "but nobody is told anything old");
  assert.equal(warnings().length, 0);
  await clock.advance(300_000);
  await ask(OTHER);
  assert.equal(warnings().length, 1);
});

test("what was learned survives a restart, for a day", async () => {
  const rounds: [hours: number, leaves: boolean][] = [[1, false], [25, true]];
  for (const [hours, leaves] of rounds) {
    await inDirectory(async (directory) => {
      const path = `${directory}/data/registries.json`;
      const before = reachRig();
      const stop = new AbortController();
      const kept = keepReach(before, { path, signal: stop.signal });
      before.found();
      stop.abort();
      await kept;
      const after = reachRig(hours * 3_600_000);
      await loadReach(after, path);
      after.trouble("unreachable");
      assert.equal(await after.ask(V1), leaves, `${hours} hours later`);
      assert.deepEqual(after.warnings(), []);
    });
  }
});

test("a restart does not make the runtime try again before its time", async () => {
  const before = reachRig();
  before.trouble("unreachable");
  const { revision } = before.reach;
  await before.ask(V1);
  assert.notEqual(before.reach.revision, revision);
  const after = reachRig(60_000);
  after.reach.restore(before.reach.kept());
  after.trouble("unreachable");
  assert.equal(await after.ask(V1), false);
  await after.clock.advance(840_000);
  assert.equal(await after.ask(V2), true);
  after.found();
  assert.deepEqual(after.reach.kept().map(({ retryAt }) => retryAt), [undefined]);
});

test("a file of registries that cannot be read, or from the future, does no harm", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/registries.json`;
    const rig = reachRig();
    await loadReach(rig, path);
    assert.deepEqual(rig.warnings(), []);
    await Deno.writeTextFile(path, "{]");
    await loadReach(rig, path);
    assert.equal(rig.warnings().length, 1);
    const far = { reachedAt: 9e15, retryAt: 9e15, pauseMs: 9e15 };
    rig.reach.restore([{ registry: REGISTRY, ...far }]);
    rig.trouble("unreachable");
    assert.equal(await rig.ask(V1), false);
    await rig.clock.advance(86_400_000);
    assert.equal(await rig.ask(V1), true);
  });
});

test("an answer that no pull needs mends a lack of connection, and nothing else", async () => {
  for (const trouble of LOCAL) {
    const rig = reachRig();
    rig.trouble(trouble);
    rig.reach.answeredPing(REGISTRY);
    const isMended = trouble === "unreachable" || trouble === "unresolved";
    assert.deepEqual(rig.runtime(), isMended ? [] : ["unknown"], trouble);
    assert.equal(rig.reach.unansweredFor(REGISTRY), isMended ? 0 : Infinity);
    // A server that is too slow for tags, or refuses them, is not there for the day.
    assert.equal(await rig.ask(V1), !isMended, trouble);
  }
});
