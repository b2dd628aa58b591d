import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { fairDeadline } from "../../lib/async/fair_deadline.ts";
import { test } from "../support/test.ts";

test("fair deadline: what has arrived while the process did not run comes first", async () => {
  const server = createServer((socket) => socket.end("answer"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  using limit = fairDeadline(20);
  const answered = new Promise<string>((resolve) => {
    connect(address.port, "127.0.0.1").once("data", (data) => resolve(String(data)));
  });
  const expired = new Promise<string>((resolve) => {
    limit.signal.addEventListener("abort", () => resolve("too late"), { once: true });
  });
  // Nothing of it is seen before the time is over.
  const until = performance.now() + 40;
  while (performance.now() < until);
  assert.equal(await Promise.race([answered, expired]), "answer");
  await new Promise((resolve) => server.close(resolve));
});

test("fair deadline: aborts in time, with its parent, and not once it is disposed", async () => {
  using limit = fairDeadline(5);
  await new Promise((resolve) => limit.signal.addEventListener("abort", resolve, { once: true }));
  assert.equal(limit.signal.reason.name, "TimeoutError");
  const parent = new AbortController();
  using follower = fairDeadline(1000, parent);
  parent.abort(new Error("enough"));
  assert.equal(follower.signal.reason.message, "enough");
  const over = fairDeadline(1);
  over[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(over.signal.aborted, false);
});
