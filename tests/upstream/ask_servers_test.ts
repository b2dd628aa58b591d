import assert from "node:assert/strict";
import type { UpstreamAnswer, UpstreamTrouble } from "../../lib/ports/access.ts";
import { askServers } from "../../lib/upstream/ask_servers.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";

const FOUND: UpstreamAnswer = { type: "found", digest: `sha256:${"a".repeat(64)}` };
const DENIED: UpstreamAnswer = { type: "denied" };
const MISSING: UpstreamAnswer = { type: "missing", hidden: false };
const failed = (reason: UpstreamTrouble): UpstreamAnswer => ({ type: "unavailable", reason });
const never = { signal: new AbortController().signal };

test("servers: found, then denied, then failed, then missing, whatever their order", async () => {
  const cases: [answers: UpstreamAnswer[], counts: UpstreamAnswer, asked: number][] = [
    [[], MISSING, 0],
    [[MISSING], MISSING, 1],
    [[FOUND, DENIED], FOUND, 1],
    [[DENIED, FOUND], FOUND, 2],
    [[MISSING, failed("unreachable"), FOUND], FOUND, 3],
    [[DENIED, MISSING], DENIED, 2],
    [[DENIED, failed("unreachable")], DENIED, 2],
    [[failed("broken"), DENIED], DENIED, 2],
    [[MISSING, failed("limited")], failed("limited"), 2],
    [[failed("timeout"), MISSING], failed("timeout"), 2],
    [[failed("timeout"), failed("misconfigured")], failed("misconfigured"), 2],
    [[DENIED, failed("misconfigured")], DENIED, 2],
  ];
  for (const [answers, counts, asked] of cases) {
    let count = 0;
    const ask = (answer: UpstreamAnswer) => {
      count++;
      return Promise.resolve(answer);
    };
    const clock = new FakeClock();
    assert.deepEqual(await askServers(answers, ask, { ...never, clock }), counts);
    assert.equal(count, asked, JSON.stringify(answers));
    assert.equal(clock.sleeping, 0);
  }
});

test("servers: one that is silent does not hold up the next, and is given up once that has it", async () => {
  const clock = new FakeClock();
  const asked: string[] = [];
  let silent: AbortSignal | undefined;
  const ask = (server: string, { signal }: { signal: AbortSignal }) => {
    asked.push(server);
    if (server === "next") return Promise.resolve(FOUND);
    silent = signal;
    return new Promise<UpstreamAnswer>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  };
  const answer = askServers(["silent", "next"], ask, { ...never, clock });
  assert.deepEqual(asked, ["silent"]);
  await clock.advance(300);
  assert.deepEqual(await answer, FOUND);
  assert.deepEqual(asked, ["silent", "next"]);
  assert.equal(silent?.aborted, true);
});

test("servers: a slow one still counts when the others do not have it", async () => {
  const clock = new FakeClock();
  const slow = Promise.withResolvers<UpstreamAnswer>();
  const ask = (server: string) => server === "slow" ? slow.promise : Promise.resolve(MISSING);
  const answer = askServers(["slow", "next"], ask, { ...never, clock });
  await clock.advance(300);
  slow.resolve(DENIED);
  assert.deepEqual(await answer, DENIED);
});

test("servers: what one throws is thrown", async () => {
  const gone = new Error("gone");
  const ask = (server: string) => server === "b" ? Promise.reject(gone) : Promise.resolve(MISSING);
  const settings = { ...never, clock: new FakeClock() };
  await assert.rejects(askServers(["a", "b", "c"], ask, settings), gone);
});
