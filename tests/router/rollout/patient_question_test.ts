import assert from "node:assert/strict";
import { patientQuestion } from "../../../lib/router/rollout/patient_question.ts";
import type { Cancellable } from "../../../lib/ports/cancellable.ts";
import { test } from "../../support/test.ts";

const TIMES = { usualMs: 20, lateMs: 200 };
const never = new AbortController().signal;

function answerAfter(ms: number) {
  return ({ signal }: Cancellable) =>
    new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => resolve("answer"), ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      }, { once: true });
    });
}

function presence(there: boolean) {
  const asked: number[] = [];
  return { asked, isAlive: () => Promise.resolve(void asked.push(1)).then(() => there) };
}

test("patient question: an answer in time needs no probe", async () => {
  const { asked, isAlive } = presence(false);
  const answer = await patientQuestion(answerAfter(0), isAlive, { ...TIMES, signal: never });
  assert.equal(answer, "answer");
  assert.equal(asked.length, 0);
});

test("patient question: a late peer that is alive gets extra time", async () => {
  const { asked, isAlive } = presence(true);
  const answer = await patientQuestion(answerAfter(80), isAlive, { ...TIMES, signal: never });
  assert.equal(answer, "answer");
  assert.equal(asked.length, 1);
});

test("patient question: a dead peer gets no extra time, a silent one a bounded time", async () => {
  const gone = new AbortController();
  const timeout = { name: "TimeoutError" };
  const options = { ...TIMES, signal: never };
  const ask = (limit: Cancellable) => {
    gone.signal.addEventListener("abort", () => limit);
    return answerAfter(5000)(limit);
  };
  await assert.rejects(patientQuestion(ask, presence(true).isAlive, options), timeout);
  const late = { ...options, lateMs: 400 };
  await assert.rejects(
    patientQuestion(
      // One that hears of no abort, so that the test would hang on it.
      () => new Promise<string>(() => {}),
      presence(false).isAlive,
      late,
    ),
    timeout,
  );
});

test("patient question: a failure is thrown at once, and the signal's reason is kept", async () => {
  const { asked, isAlive } = presence(true);
  const broken = () => Promise.reject(new Error("broken"));
  await assert.rejects(
    patientQuestion(broken, isAlive, { ...TIMES, signal: never }),
    /broken/,
  );
  const client = new AbortController();
  const question = patientQuestion(answerAfter(5000), isAlive, { ...TIMES, signal: client.signal });
  client.abort(new Error("the client went away"));
  await assert.rejects(question, /went away/);
  assert.equal(asked.length, 0);
});
