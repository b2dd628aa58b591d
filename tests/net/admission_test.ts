import assert from "node:assert/strict";
import {
  Admission,
  type AdmissionLimits,
  type AdmittedConnection,
} from "../../lib/net/admission.ts";
import { ConnectionBudget } from "../../lib/net/connection_budget.ts";
import { OpenFiles } from "../../lib/net/open_files.ts";
import { test } from "../support/test.ts";

class Visitor implements AdmittedConnection {
  idleSince: number | undefined;
  closed = false;
  constructor(idleSince?: number) {
    this.idleSince = idleSince;
  }
  close(): void {
    this.closed = true;
  }
}

const LIMITS: AdmissionLimits = { local: 2, remote: 4, perAddress: 3 };

function setup(limits = LIMITS, raise = () => false) {
  return new Admission({ limits: () => limits, raise, isLocal: (ip) => ip === "127.0.0.1" });
}

/** So many that are busy get in from an address. */
function fill(admission: Admission, address: string, most = 100): Visitor[] {
  const visitors: Visitor[] = [];
  while (visitors.length < most) {
    const visitor = new Visitor();
    if (!admission.admit(visitor, address)) break;
    visitors.push(visitor);
  }
  return visitors;
}

test("admission: limits per address, for all remote addresses, and for local ones", () => {
  const admission = setup();
  assert.equal(fill(admission, "10.0.0.1").length, 3);
  assert.equal(fill(admission, "10.0.0.2").length, 1);
  assert.equal(fill(admission, "10.0.0.3").length, 0);
  assert.equal(fill(admission, "127.0.0.1").length, 2);
  assert.equal(admission.size, 6);
});

test("admission: leaving twice frees one place", () => {
  const admission = setup();
  const [first] = fill(admission, "10.0.0.1");
  assert.ok(first);
  admission.leave(first);
  admission.leave(first);
  admission.leave(new Visitor());
  assert.equal(fill(admission, "10.0.0.1").length, 1);
});

test("admission: the longest idle connection is evicted, of the same address first", () => {
  const admission = setup();
  const [old, older, other] = [new Visitor(20), new Visitor(10), new Visitor(5)];
  assert.ok(admission.admit(other, "10.0.0.2"));
  assert.ok(admission.admit(old, "10.0.0.1"));
  assert.ok(admission.admit(older, "10.0.0.1"));
  assert.ok(admission.admit(new Visitor(), "10.0.0.1"));
  // Its address has no more places.
  assert.ok(admission.admit(new Visitor(), "10.0.0.1"));
  assert.deepEqual([old.closed, older.closed, other.closed], [false, true, false]);
  // Strangers have no more: it is the address with most that gives one up.
  assert.ok(admission.admit(new Visitor(), "10.0.0.3"));
  assert.deepEqual([old.closed, other.closed], [true, false]);
  assert.equal(admission.size, 4);
});

test("admission: an address with few connections keeps them while others flood", () => {
  const admission = setup({ local: 1, remote: 4, perAddress: 3 });
  const few = new Visitor(1);
  assert.ok(admission.admit(few, "10.0.0.9"));
  for (let time = 2; time < 50; time++) {
    admission.admit(new Visitor(time), time % 2 === 0 ? "10.0.0.1" : "10.0.0.2");
  }
  assert.equal(few.closed, false);
  assert.equal(admission.size, 4);
  // Where all have as little, it is who was idle longest.
  for (const host of [3, 4, 5, 6]) admission.admit(new Visitor(100), `10.0.0.${host}`);
  assert.equal(few.closed, true);
});

test("admission: local connections are never evicted for remote ones, nor vice versa", () => {
  const admission = setup();
  const local = new Visitor(1);
  const stranger = new Visitor(1);
  assert.ok(admission.admit(local, "127.0.0.1"));
  assert.ok(admission.admit(stranger, "10.0.0.9"));
  for (const address of ["10.0.0.1", "10.0.0.2"]) fill(admission, address);
  assert.equal(local.closed, false);
  assert.equal(stranger.closed, true);
  fill(admission, "127.0.0.1");
  assert.equal(local.closed, true);
});

test("admission: an IPv6 /64 counts as one address", () => {
  const cases: [string, string, same: boolean][] = [
    ["2001:db8:0:1::1", "2001:db8::1:ffff:0:0:2", true],
    ["2001:db8:0:1::1", "2001:DB8:0000:0001:5::", true],
    ["2001:db8:0:1::1", "2001:db8:0:2::1", false],
    ["fe80::1%eth0", "fe80::2%eth0", true],
    ["::1", "::2", true],
  ];
  for (const [one, another, same] of cases) {
    const admission = setup({ ...LIMITS, perAddress: 1 });
    assert.ok(admission.admit(new Visitor(), one));
    assert.equal(admission.admit(new Visitor(), another), !same, `${one} ${another}`);
  }
});

test("admission: limits are raised before a connection is evicted", () => {
  let most = 1;
  const admission = new Admission({
    limits: () => ({ local: 1, remote: most, perAddress: most }),
    raise: () => most < 5 && ++most > 0,
    isLocal: () => false,
  });
  assert.equal(fill(admission, "10.0.0.1").length, 5);
});

/** A process that may open so many files besides those that are open. */
function files(limit: number) {
  const asked: number[] = [];
  const state = { open: 0 };
  const found = new OpenFiles((most) => {
    asked.push(most);
    return Math.max(0, Math.min(most, limit - state.open));
  });
  return { found, asked, state };
}

test("open files: a low limit is known at once, a high one is probed on demand", () => {
  const low = files(226);
  assert.deepEqual([low.found.known, low.found.complete], [226, true]);
  assert.equal(low.found.grow(100), false);
  assert.equal(low.asked.length, 1);
  const high = files(1e6);
  assert.deepEqual([high.found.known, high.found.complete], [512, false]);
  assert.equal(high.found.grow(128), true);
  assert.equal(high.found.known, 128 + 1024);
  let growths = 0;
  while (high.found.grow(300)) growths++;
  assert.ok(growths < 5, `${growths}`);
  assert.ok(Math.max(...high.asked) <= 4096);
});

test("connection budget: a share stays for the agent's own files, whatever the limit", () => {
  for (const limit of [34, 64, 226, 1000, 1e6]) {
    const { found, state } = files(limit);
    const budget = new ConnectionBudget((ip) => ip === "10.0.0.9", found);
    const enter = (kind: "http" | "router", ip: string) => {
      const visitors = fill(budget[kind], ip, 2000);
      state.open += visitors.length;
      return visitors.length;
    };
    const one = enter("http", "10.1.0.1");
    let remote = one;
    for (let host = 2; host < 100; host++) remote += enter("http", `10.1.0.${host}`);
    let routers = 0;
    for (let host = 1; host < 100; host++) routers += enter("router", `10.1.0.${host}`);
    const local = enter("http", "127.0.0.1");
    assert.equal(enter("http", "10.0.0.9"), 0, "own addresses are local, too");
    // Each blob takes a file, too.
    assert.ok(2 * remote + routers + local <= limit, `${limit}: ${remote}, ${routers}`);
    assert.ok(local >= 8 && remote >= 4 && routers >= 4 && one >= 4, `${limit}: ${local}`);
    if (limit > 60) assert.ok(one < remote, `${limit}: ${one} of ${remote}`);
    if (limit > 1000) assert.ok(one > 100 && remote > 400, `${one} of ${remote}`);
  }
});
