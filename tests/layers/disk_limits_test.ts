import assert from "node:assert/strict";
import { diskSpace } from "../../lib/files/disk_space.ts";
import { DiskLimits } from "../../lib/layers/disk_limits.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const GIB = 2 ** 30;

test("disk limits: how much may be kept, and how much must go", async (t) => {
  const cases = {
    "a tenth of a small disk": [{ bytes: 100 * GIB, freeBytes: 50 * GIB }, {}, 10 * GIB, 0],
    "at most 50 GiB of a large one": [{ bytes: 900 * GIB, freeBytes: 800 * GIB }, {}, 50 * GIB, 0],
    "what is set": [{ bytes: 100 * GIB, freeBytes: 50 * GIB }, { maxBytes: GIB }, GIB, 0],
    "too little is free": [{ bytes: 100 * GIB, freeBytes: 12 * GIB }, {}, 10 * GIB, 3 * GIB],
    "no share must be free": [{ bytes: 100, freeBytes: 0 }, { minFreeShare: 0 }, 10, 0],
    "a disk that cannot be looked at": [undefined, {}, 10 * GIB, 0],
  } as const;
  for (const [name, [space, options, maxBytes, lackingBytes]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const limits = new DiskLimits({
        space: space && (() => Promise.resolve(space)),
        log: new MemoryLog(),
      }, { maxBytes: undefined, minFreeShare: 0.15, ...options });
      assert.deepEqual(await limits.look(), { maxBytes, lackingBytes });
    });
  }
});

test("disk limits: a disk that fails is told of once, and little is kept", async () => {
  const log = new MemoryLog();
  const space = () => Promise.reject(new Error("input/output error"));
  const limits = new DiskLimits({ space, log }, { maxBytes: undefined, minFreeShare: 0.15 });
  assert.deepEqual(await limits.look(), { maxBytes: 10 * GIB, lackingBytes: 0 });
  await limits.look();
  assert.equal(log.lines.length, 1);
});

test("disk limits: the space of a real file system", async () => {
  const { bytes, freeBytes } = await diskSpace(Deno.cwd());
  assert.ok(bytes > 0 && freeBytes >= 0 && freeBytes <= bytes);
  await assert.rejects(diskSpace("/no/such/path"));
});
