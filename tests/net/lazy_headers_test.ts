import assert from "node:assert/strict";
import { lazyHeaders } from "../../lib/net/http/lazy_headers.ts";
import { test } from "../support/test.ts";

test("lazy headers: are what the runtime's are", () => {
  const cases: [name: string, value: string][][] = [
    [],
    [["host", "a"], ["range", "bytes=0-1"]],
    [["accept", "a"], ["x-b", ""], ["accept", "b, c"]],
    [["set-cookie", "a=b"], ["set-cookie", "c=d"]],
  ];
  for (const fields of cases) {
    const [lazy, plain] = [lazyHeaders(fields), new Headers(fields)];
    assert.ok(lazy instanceof Headers);
    for (const name of ["host", "HOST", "Range", "accept", "x-b", "set-cookie", "none"]) {
      assert.equal(lazy.get(name), plain.get(name), name);
      assert.equal(lazy.has(name), plain.has(name), name);
    }
    assert.deepEqual([...lazy], [...plain]);
    assert.deepEqual([...lazy.keys(), ...lazy.values()], [...plain.keys(), ...plain.values()]);
    assert.deepEqual([...lazy.entries()], [...plain.entries()]);
    assert.deepEqual(lazy.getSetCookie(), plain.getSetCookie());
    assert.deepEqual([...new Headers(lazy)], [...plain]);
    const seen: [string, string][] = [];
    lazy.forEach((value, name) => seen.push([name, value]));
    assert.deepEqual(seen, [...plain]);
  }
});
