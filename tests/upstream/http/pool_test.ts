import assert from "node:assert/strict";
import type { Connection } from "../../../lib/upstream/http/connection.ts";
import { Pool, type PoolOptions } from "../../../lib/upstream/http/pool.ts";
import { test } from "../../support/test.ts";

class FakeConnection {
  reusable = true;
  closed = false;

  close(): void {
    this.closed = true;
    this.reusable = false;
  }
}

function rig(options: PoolOptions = {}) {
  const pool = new Pool({ idleMs: 60_000, ...options });
  const made: FakeConnection[] = [];
  const open = () => {
    const connection = new FakeConnection();
    made.push(connection);
    return Promise.resolve(connection as unknown as Connection);
  };
  const take = (key: string, { signal = new AbortController().signal, fresh = false } = {}) =>
    pool.take(key, open, { signal, fresh });
  return { pool, made, take, [Symbol.dispose]: () => pool[Symbol.dispose]() };
}

test("a connection is used again for the same key, unless a new one is wanted or it is spoilt", async () => {
  using r = rig();
  const first = await r.take("a");
  first.release();
  first.release();
  const second = await r.take("a");
  assert.equal(second.connection, first.connection);
  assert.deepEqual([first.reused, second.reused], [false, true]);
  assert.notEqual((await r.take("a")).connection, first.connection, "it is in use");
  second.release();
  assert.notEqual((await r.take("b")).connection, first.connection);
  assert.notEqual((await r.take("a", { fresh: true })).connection, first.connection);
  const third = await r.take("a");
  (third.connection as unknown as FakeConnection).reusable = false;
  third.release();
  assert.notEqual((await r.take("a")).connection, first.connection);
  assert.equal(r.made[0]?.closed, true);
});

test("there are never more than so many: idle ones make room, else whoever comes waits", async () => {
  using r = rig({ maxOpen: 2, maxIdlePerKey: 1 });
  const [a, b] = [await r.take("a"), await r.take("b")];
  let got = false;
  const waiting = r.take("c").then((lease) => {
    got = true;
    return lease;
  });
  const gone = new AbortController();
  const leaving = r.take("c", { signal: gone.signal });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(got, false);
  gone.abort(new Error("gone"));
  await assert.rejects(leaving, /gone/);
  a.release();
  const c = await waiting;
  assert.deepEqual(r.made.map(({ closed }) => closed), [true, false, false]);
  c.release();
  b.release();
  assert.deepEqual(r.made.map(({ closed }) => closed), [true, false, false]);
  const again = await r.take("b");
  assert.equal(again.connection, b.connection);
});

test("of idle ones of a key only so many are kept, and all are closed at the end", async () => {
  const r = rig({ maxIdlePerKey: 1 });
  const [one, two, busy] = [await r.take("a"), await r.take("a"), await r.take("a")];
  one.release();
  two.release();
  assert.deepEqual(r.made.map(({ closed }) => closed), [false, true, false]);
  r.pool[Symbol.dispose]();
  assert.deepEqual(r.made.map(({ closed }) => closed), [true, true, true]);
  busy.release();
  await assert.rejects(r.take("a"), /closed/);
});

test("one that cannot be opened takes no place", async () => {
  using r = rig({ maxOpen: 1 });
  const { signal } = new AbortController();
  const fail = () => Promise.reject(new Error("refused"));
  for (let time = 0; time < 3; time++) {
    await assert.rejects(r.pool.take("a", fail, { signal, fresh: false }), /refused/);
  }
  (await r.take("a")).release();
});
