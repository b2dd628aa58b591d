import assert from "node:assert/strict";
import { join } from "node:path";
import type { Digest } from "../../lib/oci/digest.ts";
import type { ByteRange } from "../../lib/oci/range.ts";
import type { ArrivingContent } from "../../lib/ports/arrivals.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { ContainerdIngests, digestOfRef } from "../../lib/store/containerd/ingests.ts";
import { MemoryLog } from "../fakes/log.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { someBytes } from "./growing_files.ts";

const HEX = "a".repeat(64);
const DIGEST: Digest = `sha256:${HEX}`;
const BYTES = someBytes(1000);

async function rig(files: Readonly<Record<string, string | Uint8Array>> = {}) {
  const directory = await tempDirectory();
  const ingest = join(directory.path, "ingest", "0f0f");
  await Deno.mkdir(ingest, { recursive: true });
  await Deno.mkdir(join(directory.path, "blobs", "sha256"), { recursive: true });
  const all = {
    ref: `k8s.io/1/layer-${DIGEST}`,
    total: "1000",
    data: BYTES.subarray(0, 400),
    updatedat: "now",
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(join(ingest, name), bytes);
  }
  const log = new MemoryLog();
  const ingests = new ContainerdIngests({ clock: systemClock, log }, {
    contentPath: directory.path,
    namespace: "k8s.io",
  });
  const { signal } = new AbortController();
  return {
    path: directory.path,
    ingest,
    log,
    find: (digest = DIGEST) => ingests.find(digest, { signal }),
    hasArrived: () => ingests.hasArrived(DIGEST),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** Opens what must be there. */
async function opened(content: ArrivingContent | undefined, range?: ByteRange) {
  const stream = await content?.open(range);
  assert.ok(stream !== undefined, "can be read");
  return stream;
}

test("ingests: what is being fetched is read on across its commit", async () => {
  await using s = await rig();
  const content = await s.find();
  assert.equal(content?.size, 1000);
  const reader = (await opened(content)).getReader();
  assert.deepEqual((await reader.read()).value, BYTES.subarray(0, 400));
  await Deno.writeFile(join(s.ingest, "data"), BYTES.subarray(400), { append: true });
  await Deno.rename(join(s.ingest, "data"), join(s.path, "blobs", "sha256", HEX));
  await Deno.remove(s.ingest, { recursive: true });
  assert.deepEqual((await reader.read()).value, BYTES.subarray(400));
  assert.equal((await reader.read()).done, true);
  assert.equal(await s.find(), undefined);
});

test("ingests: content has arrived once it is where blobs are", async () => {
  await using s = await rig();
  assert.equal(await s.hasArrived(), false);
  await Deno.rename(join(s.ingest, "data"), join(s.path, "blobs", "sha256", HEX));
  assert.equal(await s.hasArrived(), true);
});

test("ingests: a part, and what was committed between find and open", async () => {
  await using s = await rig({ data: BYTES });
  const content = await s.find();
  const part = await opened(content, { start: 10, end: 19 });
  assert.deepEqual(await new Response(part).bytes(), BYTES.subarray(10, 20));
  await Deno.rename(join(s.ingest, "data"), join(s.path, "blobs", "sha256", HEX));
  const whole = await opened(content);
  assert.deepEqual(await new Response(whole).bytes(), BYTES);
  await Deno.remove(join(s.path, "blobs", "sha256", HEX));
  assert.equal(await content?.open(undefined), undefined);
});

test("ingests: a transfer that is aborted breaks the stream", async () => {
  await using s = await rig();
  const reader = (await opened(await s.find())).getReader();
  await reader.read();
  await Deno.remove(s.ingest, { recursive: true });
  await assert.rejects(reader.read(), /given up at 400 of 1000 bytes/);
});

test("ingests: what cannot be followed is left alone", async () => {
  const cases: Readonly<Record<string, Record<string, string>>> = {
    "another namespace": { ref: `moby/1/layer-${DIGEST}` },
    "other content": { ref: `k8s.io/1/layer-sha256:${"b".repeat(64)}` },
    "no digest": { ref: "k8s.io/1/upload-42" },
    "size not known": { total: "0" },
    "size is no number": { total: "many" },
  };
  for (const [name, files] of Object.entries(cases)) {
    await using s = await rig(files);
    assert.equal(await s.find(), undefined, name);
    assert.deepEqual(s.log.lines, [], name);
  }
});

test("ingests: one left behind by a pull that failed is not followed", async () => {
  await using s = await rig();
  const old = new Date(Date.now() - 60_000);
  await Deno.utime(join(s.ingest, "data"), old, old);
  assert.equal((await s.find())?.size, 1000, "it has just been taken up again");
  await Deno.utime(join(s.ingest, "updatedat"), old, old);
  assert.equal(await s.find(), undefined);
});

test("ingests: a directory that is not there or cannot be read is no failure", async () => {
  await using s = await rig();
  await Deno.remove(join(s.path, "ingest"), { recursive: true });
  assert.equal(await s.find(), undefined);
  await Deno.writeTextFile(join(s.path, "ingest"), "a file");
  assert.equal(await s.find(), undefined);
  assert.deepEqual(s.log.lines, []);
});

test("ingests: digests by the transfer's name", () => {
  for (
    const [ref, want] of [
      [`k8s.io/1/layer-${DIGEST}`, DIGEST],
      [`k8s.io/17/config-${DIGEST}`, DIGEST],
      [`k8s.io/layer-${DIGEST}`, DIGEST],
      [`default/1/layer-${DIGEST}`, undefined],
      [`k8s.io/1/layer-sha256:abc`, undefined],
      [`k8s.io/1/${DIGEST}`, undefined],
      ["", undefined],
    ] as const
  ) assert.equal(digestOfRef(ref, "k8s.io"), want, ref);
});
