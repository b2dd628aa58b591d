import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import { ContainerdError } from "../../lib/store/containerd/client.ts";
import { ContainerdContent } from "../../lib/store/containerd/content.ts";
import { ContainerdStore } from "../../lib/store/containerd/containerd_store.ts";
import { methods } from "../../lib/store/containerd/methods.ts";
import { test } from "../support/test.ts";
import { containerdFixture } from "./fixtures.ts";

const never = { signal: new AbortController().signal };
const infoCalls = (calls: readonly string[]) =>
  calls.filter((path) => path === methods.contentInfo.path).length;

test("content of another namespace is not served, though its file is there", async () => {
  await using fixture = await containerdFixture();
  const digest = await fixture.fake.addContent("of a build", { namespace: "buildkit" });
  assert.equal((await Deno.stat(fixture.fake.file(digest))).size, 10);
  assert.equal(await fixture.store.descriptor(digest, never), undefined);
  assert.equal(await fixture.store.open(digest, never), undefined);
});

test("known content costs no call for a while, then membership is confirmed again", async () => {
  await using fixture = await containerdFixture();
  const { fake, store, clock } = fixture;
  const digest = await fixture.put("popular");
  for (let use = 0; use < 5; use++) assert.ok(await store.descriptor(digest, never));
  assert.equal(infoCalls(fake.calls), 1);
  await clock.advance(30_000);
  assert.ok(await store.descriptor(digest, never));
  assert.equal(infoCalls(fake.calls), 2);
});

test("content without a file is a miss that needs no call", async () => {
  await using fixture = await containerdFixture();
  await fixture.put("so that the directory is there");
  assert.equal(await fixture.store.descriptor(digestOf("not there"), never), undefined);
  assert.equal(infoCalls(fixture.fake.calls), 0);
});

test("while containerd is away, known content is served and the rest is answered at once", async () => {
  await using fixture = await containerdFixture();
  const { store, clock } = fixture;
  const known = await fixture.put("known");
  const unknown = await fixture.put("not asked for yet");
  assert.ok(await store.descriptor(known, never));
  await fixture.fake.stop();
  await clock.advance(60_000);
  const stream = await store.open(known, never);
  assert.equal(await new Response(stream).text(), "known");
  assert.equal(await store.descriptor(digestOf("not there"), never), undefined);
  await assert.rejects(store.descriptor(unknown, never), ContainerdError);
  await assert.rejects(
    store.resolve("docker.io/library/app:1", never),
    (error) => error instanceof ContainerdError && error.unanswered,
  );
});

test("a containerd that hangs costs a call's time limit, not more", async () => {
  await using fixture = await containerdFixture({ callTimeoutMs: 50 });
  fixture.fake.hung = true;
  await assert.rejects(fixture.store.resolve("docker.io/library/app:1", never), {
    name: "ContainerdError",
    message: /DEADLINE_EXCEEDED/,
  });
});

test("a call that is aborted rejects with the reason", async () => {
  await using fixture = await containerdFixture();
  fixture.fake.hung = true;
  const controller = new AbortController();
  const resolving = fixture.store.resolve("docker.io/library/app:1", controller);
  const reason = new Error("client went away");
  controller.abort(reason);
  await assert.rejects(resolving, reason);
});

test("a file that is shorter than its content breaks the stream", async () => {
  await using fixture = await containerdFixture();
  const digest = await fixture.put(new Uint8Array(600_000));
  assert.ok(await fixture.store.descriptor(digest, never));
  const stream = await fixture.store.open(digest, never);
  await Deno.truncate(fixture.fake.file(digest), 400_000);
  await assert.rejects(new Response(stream).arrayBuffer(), /ended 200000 bytes before/);
});

test("the content service breaking off breaks the stream", async () => {
  await using fixture = await containerdFixture({ files: false });
  const digest = await fixture.put(new Uint8Array(20_000_000));
  const reader = (await fixture.store.open(digest, never))?.getReader();
  assert.ok((await reader?.read())?.value);
  await fixture.fake.stop();
  await assert.rejects(async () => {
    while (!(await reader?.read())?.done);
  }, ContainerdError);
});

test("a wrong content directory falls back to the content service", async () => {
  await using fixture = await containerdFixture();
  const { client, clock } = fixture;
  const digest = await fixture.put("found anyway");
  const content = new ContainerdContent(client, { contentPath: "/nonexistent" });
  const store = new ContainerdStore({ client, content, clock });
  assert.equal(await new Response(await store.open(digest, never)).text(), "found anyway");
});

test("a content directory without a blob yet is looked at like any other", async () => {
  await using fixture = await containerdFixture();
  await Deno.mkdir(`${fixture.fake.contentPath}/ingest`, { recursive: true });
  // Whatever is asked of the service is not answered.
  fixture.fake.hung = true;
  assert.equal(await fixture.store.descriptor(digestOf("nothing"), never), undefined);
});
