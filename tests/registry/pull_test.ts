import assert from "node:assert/strict";
import type { Descriptor } from "../../lib/oci/descriptor.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { OciError } from "../../lib/oci/error.ts";
import type { Store } from "../../lib/ports/store.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryStore } from "../fakes/store.ts";
import { test } from "../support/test.ts";
import { errorCode, FROM_PEER, MANIFEST, setup } from "./setup.ts";

const ABSENT: Digest = `sha256:${"0".repeat(64)}`;
const BLOB_PATH = `/v2/a/blobs/${ABSENT}?ns=quay.io`;

function stream(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([text]).stream();
}

function hit(text: string, more: Partial<Descriptor> = {}) {
  const descriptor = { digest: ABSENT, mediaType: "application/x-y", size: text.length, ...more };
  return { found: true, descriptor, body: stream(text), peer: "peer-1" } as const;
}

test("pull: what is not held is asked of the mirror as the client asked", async () => {
  const s = setup();
  await s.request(BLOB_PATH, { headers: { range: "bytes=1-2" } });
  await s.request("/v2/b/manifests/1", { method: "HEAD", headers: { range: "bytes=1-2" } });
  assert.deepEqual(s.mirror.requests, [
    {
      kind: "blob",
      method: "GET",
      range: "bytes=1-2",
      reference: { registry: "quay.io", repository: "a", digest: ABSENT },
    },
    {
      kind: "manifest",
      method: "HEAD",
      reference: { registry: "docker.io", repository: "b", tag: "1" },
    },
  ]);
});

test("pull: who has a blob is looked for while the store is looked into", async () => {
  const store = new MemoryStore();
  const digest = store.add("content");
  const before: number[] = [];
  const s = setup({}, {
    store: {
      name: "watched",
      resolve: store.resolve.bind(store),
      open: store.open.bind(store),
      descriptor(asked, options) {
        before.push(s.mirror.anticipated.length);
        return store.descriptor(asked, options);
      },
    },
  });
  const path = `/v2/a/blobs/${digest}?ns=quay.io`;
  await s.request(path, { headers: FROM_PEER });
  await s.request(`/v2/a/manifests/${ABSENT}`);
  assert.deepEqual(
    s.mirror.anticipated,
    [],
    "not for peers, nor for what is small and asked often",
  );
  await s.request(BLOB_PATH);
  assert.deepEqual(s.mirror.anticipated, [
    { kind: "blob", reference: { registry: "quay.io", repository: "a", digest: ABSENT } },
  ]);
  assert.deepEqual(before, [0, 0, 1]);
  assert.equal(await (await s.request(path)).text(), "content");
  assert.equal(s.mirror.anticipated.length, 1, "it was there a moment ago");
});

test("pull: a peer's request goes no further", async () => {
  const s = setup();
  s.mirror.answer = () => hit("content");
  const response = await s.request(BLOB_PATH, { headers: FROM_PEER });
  assert.equal(response.status, 404);
  assert.equal(await errorCode(response), "BLOB_UNKNOWN");
  assert.deepEqual(s.mirror.requests, []);
  assert.deepEqual(s.metrics.calls.filter(([name]) => name === "mirrorRequest"), []);
});

test("pull: a tag whose manifest is gone is asked of the mirror", async () => {
  const s = setup();
  s.store.tag("docker.io/a:1", ABSENT);
  s.mirror.answer = () => hit("content");
  const response = await s.request("/v2/a/manifests/1");
  assert.equal(await response.text(), "content");
  assert.equal(s.mirror.requests.length, 1);
});

test("pull: a hit is passed on with the headers of local content", async () => {
  const s = setup();
  s.mirror.answer = () => hit("content");
  const response = await s.request(BLOB_PATH);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "content");
  const header = (name: string) => response.headers.get(name);
  assert.equal(header("content-type"), "application/x-y");
  assert.equal(header("content-length"), "7");
  assert.equal(header("docker-content-digest"), ABSENT);
  assert.equal(header("oci-namespace"), "quay.io");
  assert.equal(header("accept-ranges"), "bytes");
  const [counted] = s.metrics.calls.filter(([name]) => name === "mirrorRequest");
  assert.deepEqual(counted, ["mirrorRequest", "quay.io", "hit", ""]);
});

test("pull: a part from a peer is 206", async () => {
  const s = setup();
  s.mirror.answer = () => ({ ...hit("67", { size: 10 }), range: { start: 6, end: 7 } });
  const response = await s.request(BLOB_PATH, { headers: { range: "bytes=6-7" } });
  assert.equal(response.status, 206);
  assert.equal(response.headers.get("content-range"), "bytes 6-7/10");
  assert.equal(response.headers.get("content-length"), "2");
  assert.equal(await response.text(), "67");
});

test("pull: HEAD has no body, whatever the mirror returns", async () => {
  const s = setup();
  let cancelled = 0;
  s.mirror.answer = () => ({ ...hit("content"), body: null });
  assert.equal((await s.request(BLOB_PATH, { method: "HEAD" })).status, 200);
  s.mirror.answer = () => ({
    ...hit("content"),
    body: new ReadableStream({ cancel: () => void cancelled++ }),
  });
  const response = await s.request(BLOB_PATH, { method: "HEAD" });
  assert.equal(response.headers.get("content-length"), "7");
  assert.equal(response.body, null);
  assert.equal(cancelled, 1);
});

test("pull: a media type that a peer made up cannot break the answer", async () => {
  const s = setup();
  for (const mediaType of ["a/b\r\nx: y", "", "text", "a/b; c=d", "\u{1f600}/x"]) {
    s.mirror.answer = () => hit("content", { mediaType });
    const response = await s.request(BLOB_PATH);
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    assert.equal(await response.text(), "content");
  }
});

test("pull: a miss is 404 with its reason", async () => {
  const s = setup();
  s.mirror.answer = () => ({ found: false, reason: "peers-refused", attempts: 3 });
  const response = await s.request(BLOB_PATH);
  assert.equal(response.status, 404);
  const [error] = (await response.json()).errors;
  assert.equal(error.code, "BLOB_UNKNOWN");
  assert.deepEqual(error.detail, { reason: "peers-refused", attempts: 3 });
  const [counted] = s.metrics.calls.filter(([name]) => name === "mirrorRequest");
  assert.deepEqual(counted, ["mirrorRequest", "quay.io", "miss", "peers-refused"]);
  const [line] = s.log.lines;
  assert.equal(line?.fields["reason"], "peers-refused");
  assert.equal(line?.fields["attempts"], 3);
});

test("pull: the mirror's own OCI errors are answered as they are", async () => {
  const s = setup();
  s.mirror.answer = () => {
    throw new OciError("SIZE_INVALID", "no such part", { status: 416, detail: { size: 7 } });
  };
  const response = await s.request(BLOB_PATH, { headers: { range: "bytes=9-" } });
  assert.equal(response.status, 416);
  assert.equal(response.headers.get("content-range"), "bytes */7");
  assert.equal(await errorCode(response), "SIZE_INVALID");
});

test("pull: a mirror that fails is a miss", async () => {
  const s = setup();
  for (const thrown of [new Error("secret detail"), "text", null]) {
    s.mirror.answer = () => {
      throw thrown;
    };
    const response = await s.request(BLOB_PATH);
    assert.equal(response.status, 404);
    const text = await response.text();
    assert.ok(!text.includes("secret"));
  }
  assert.equal(s.log.lines.filter(({ level }) => level === "error").length, 3);
});

test("pull: a mirror that hangs is a miss for lack of time", async () => {
  const s = setup({ mirrorTimeoutMs: 10 });
  s.mirror.answer = (_request, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const response = await s.request(BLOB_PATH);
  assert.equal(response.status, 404);
  assert.equal((await response.json()).errors[0].detail.reason, "timeout");
});

test("pull: the time limit ends when the mirror has answered", async () => {
  const s = setup({ mirrorTimeoutMs: 10 });
  let seen: AbortSignal | undefined;
  let send = () => {};
  s.mirror.answer = (_request, { signal }) => {
    seen = signal;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        send = () => {
          controller.enqueue(new TextEncoder().encode("content"));
          controller.close();
        };
      },
    });
    return { ...hit("content"), body };
  };
  const response = await s.request(BLOB_PATH);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(seen?.aborted, false);
  send();
  assert.equal(await response.text(), "content");
});

/** A store each of whose calls does the same. */
function storeThat(act: (signal: AbortSignal) => Promise<never>): Store {
  return {
    name: "broken",
    resolve: (_name, { signal }) => act(signal),
    descriptor: (_digest, { signal }) => act(signal),
    open: (_digest, { signal }) => act(signal),
  };
}

test("pull: a store that is down is a store that holds nothing, said once in a while", async () => {
  const clock = new FakeClock();
  const store = storeThat(() => Promise.reject(new Error("connection refused")));
  const s = setup({}, { store, clock });
  for (const path of [BLOB_PATH, "/v2/a/manifests/1"]) {
    assert.equal((await s.request(path)).status, 404);
    assert.equal((await s.request(path, { headers: FROM_PEER })).status, 404);
  }
  assert.equal(s.mirror.requests.length, 2);
  const warnings = () => s.log.lines.filter(({ level }) => level === "warn");
  assert.equal(warnings().length, 1);
  await clock.advance(10_000);
  await s.request(BLOB_PATH);
  assert.equal(warnings().length, 2);
  assert.equal(warnings()[1]?.fields["suppressed"], 3);
});

test("pull: a store that hangs is a store that holds nothing", async () => {
  const store = storeThat((signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
  );
  const s = setup({ storeTimeoutMs: 10 }, { store });
  s.mirror.answer = () => hit("content");
  assert.equal(await (await s.request(BLOB_PATH)).text(), "content");
  assert.equal((await s.request("/v2/a/manifests/1", { headers: FROM_PEER })).status, 404);
});

/** A store whose content cannot be opened as described. */
function misdescribing(open: Store["open"]): { store: Store; content: MemoryStore } {
  const content = new MemoryStore();
  const store: Store = {
    name: "odd",
    resolve: content.resolve.bind(content),
    descriptor: content.descriptor.bind(content),
    open,
  };
  return { store, content };
}

test("pull: content that vanishes between look-up and opening is asked of the mirror", async () => {
  const { store, content } = misdescribing(() => Promise.resolve(undefined));
  const s = setup({}, { store });
  s.mirror.answer = () => hit("content");
  const blob = content.add("0123456789");
  const manifest = content.add(MANIFEST);
  assert.equal(await (await s.request(`/v2/a/blobs/${blob}`)).text(), "content");
  assert.equal(await (await s.request(`/v2/a/manifests/${manifest}`)).text(), "content");
});

test("pull: a damaged manifest is not served", async () => {
  const bodies = [
    MANIFEST.slice(1),
    `${MANIFEST} `,
    MANIFEST.replace("2", "3"),
    "",
  ];
  for (const text of bodies) {
    const { store, content } = misdescribing(() => Promise.resolve(stream(text)));
    const s = setup({}, { store });
    const manifest = content.add(MANIFEST);
    const response = await s.request(`/v2/a/manifests/${manifest}`, { headers: FROM_PEER });
    assert.equal(response.status, 404, text);
    assert.ok(s.log.lines.some(({ level }) => level === "warn"));
  }
});

test("pull: HEAD opens nothing", async () => {
  const { store, content } = misdescribing(() => Promise.reject(new Error("opened")));
  const s = setup({}, { store });
  const [blob, manifest] = [content.add("0123456789"), content.add(MANIFEST)];
  for (const path of [`/v2/a/blobs/${blob}`, `/v2/a/manifests/${manifest}`]) {
    assert.equal((await s.request(path, { method: "HEAD" })).status, 200);
  }
  assert.deepEqual(s.mirror.requests, []);
});

test("pull: a body that is cancelled cancels its source and ends the request", async () => {
  let cancelled = 0;
  const { store, content } = misdescribing(() =>
    Promise.resolve(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new TextEncoder().encode("01")),
        cancel: () => void cancelled++,
      }),
    )
  );
  const s = setup({}, { store });
  const response = await s.request(`/v2/a/blobs/${content.add("0123456789")}`, {
    headers: FROM_PEER,
  });
  assert.equal(s.inFlight(), 1);
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  assert.equal(cancelled, 1);
  assert.equal(s.inFlight(), 0);
  const [line] = s.log.lines;
  assert.equal(line?.fields["bytes"], 2);
  assert.equal(String(line?.fields["error"]), "Error: the client went away");
  assert.deepEqual(s.metrics.calls.find(([name]) => name === "bytesServed"), [
    "bytesServed",
    2,
    "",
  ]);
});

test("pull: cancelling the body of a hit aborts the mirror's signal", async () => {
  const s = setup();
  let seen: AbortSignal | undefined;
  s.mirror.answer = (_request, { signal }) => {
    seen = signal;
    return hit("content");
  };
  const response = await s.request(BLOB_PATH);
  assert.equal(seen?.aborted, false);
  await response.body?.cancel();
  assert.equal(seen?.aborted, true);
});

test("pull: a client that goes away before there is an answer aborts the mirror", async () => {
  const s = setup();
  const client = new AbortController();
  s.mirror.answer = (_request, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      client.abort();
    });
  const response = await s.request(BLOB_PATH, { signal: client.signal });
  assert.equal(response.status, 499);
  assert.equal(s.log.lines.at(-1)?.fields["status"], 499);
  assert.deepEqual(s.metrics.calls.filter(([name]) => name === "mirrorRequest"), []);
});

test("drain: waits for bodies under way", async () => {
  const s = setup();
  s.mirror.answer = () => hit("content");
  const first = await s.request(BLOB_PATH);
  const second = await s.request(BLOB_PATH);
  assert.equal(s.inFlight(), 2);
  const drained = s.drain({ signal: new AbortController().signal });
  assert.equal(await first.text(), "content");
  assert.equal(await second.text(), "content");
  assert.equal(await drained, 0);
});

test("drain: breaks what is left when its time is over, answers being sought included", async () => {
  const s = setup();
  s.mirror.answer = () => hit("content");
  const body = await s.request(BLOB_PATH);
  s.mirror.answer = (_request, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const sought = s.request(BLOB_PATH);
  while (s.mirror.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  const unasked = s.request(BLOB_PATH);
  const over = new AbortController();
  const drained = s.drain({ signal: over.signal });
  over.abort();
  assert.equal(await drained, 3);
  await assert.rejects(body.text(), /the registry stops/);
  for (const request of [unasked, sought]) assert.equal((await request).status, 499);
  assert.equal(s.inFlight(), 0);
});

test("pull: a tag that points to a manifest that is not held is served only as what it points to", async () => {
  const s = setup();
  s.store.tag("docker.io/a:1", ABSENT);
  for (const method of ["GET", "HEAD"]) {
    s.mirror.requests.length = 0;
    const response = await s.request("/v2/a/manifests/1", { method });
    assert.equal(response.status, 404);
    assert.deepEqual(s.mirror.requests.map(({ reference }) => reference), [
      { registry: "docker.io", repository: "a", digest: ABSENT },
    ]);
  }
});

test("pull: a tag whose manifest is damaged is not resolved to it", async () => {
  const store = new MemoryStore();
  const digest = store.add(MANIFEST);
  store.tag("docker.io/a:1", digest);
  const s = setup({}, {
    store: {
      name: "damaged",
      resolve: (...args) => store.resolve(...args),
      descriptor: (...args) => store.descriptor(...args),
      open: () => Promise.resolve(stream(MANIFEST.replace("config", "CONFIG"))),
    },
  });
  for (const method of ["GET", "HEAD"]) {
    assert.equal((await s.request("/v2/a/manifests/1", { method })).status, 404);
  }
  s.mirror.answer = () => hit(MANIFEST, { digest });
  const response = await s.request("/v2/a/manifests/1", { method: "HEAD" });
  assert.equal(response.headers.get("docker-content-digest"), digest);
});

test("pull: a tag is not resolved to a digest that a filter forbids", async () => {
  const banned: Digest[] = [];
  const s = setup({ filter: ({ digest }) => digest === undefined || !banned.includes(digest) });
  const digest = s.store.add(MANIFEST);
  s.store.tag("docker.io/a:1", digest);
  assert.equal((await s.request("/v2/a/manifests/1")).status, 200);
  banned.push(digest, ABSENT);
  assert.equal((await s.request("/v2/a/manifests/1")).status, 404);
  s.mirror.answer = () => hit("content");
  const response = await s.request("/v2/b/manifests/1");
  assert.equal(response.status, 404);
  assert.deepEqual((await response.json()).errors[0].detail, { reason: "filtered" });
});

test("pull: a manifest is read once while it is held, and not served long after it is gone", async () => {
  const clock = new FakeClock();
  const s = setup({}, { clock });
  const digest = s.store.add(new TextEncoder().encode(MANIFEST));
  let opened = 0;
  const open = s.store.open.bind(s.store);
  s.store.open = (...given) => {
    opened++;
    return open(...given);
  };
  const path = `/v2/a/manifests/${digest}`;
  for (let count = 0; count < 3; count++) {
    assert.equal(await (await s.request(path)).text(), MANIFEST);
  }
  assert.equal(opened, 1);
  s.store.remove(digest);
  // It was there a moment ago, and the bytes are right.
  assert.equal((await s.request(path)).status, 200);
  await clock.advance(1001);
  assert.equal((await s.request(path)).status, 404);
});

test("pull: what was there a moment ago is not looked for again", async () => {
  const clock = new FakeClock();
  const s = setup({}, { clock });
  const digest = s.store.add(new Uint8Array(100));
  let asked = 0;
  const descriptor = s.store.descriptor.bind(s.store);
  s.store.descriptor = (...given) => {
    asked++;
    return descriptor(...given);
  };
  const path = `/v2/a/blobs/${digest}`;
  for (const range of ["bytes=0-9", "bytes=10-19"]) {
    assert.equal((await (await s.request(path, { headers: { range } })).bytes()).length, 10);
  }
  assert.equal(asked, 1);
  await clock.advance(1001);
  assert.equal((await s.request(path, { method: "HEAD" })).status, 200);
  assert.equal(asked, 2);
  s.store.remove(digest);
  assert.equal((await s.request(path)).status, 404);
});

test("pull: a manifest that the mirror still has at hand is served without a look anywhere", async () => {
  const digest = digestOf("kept");
  const content = new TextEncoder().encode(MANIFEST);
  const descriptor = {
    digest,
    size: content.length,
    mediaType: "application/vnd.oci.image.index.v1+json",
  };
  const s = setup({ filter: ({ repository }) => repository !== "secret" });
  s.mirror.kept = ({ method }) => ({
    found: true,
    descriptor,
    peer: "p1",
    isPrivate: false,
    ...(method === "HEAD" ? { body: null } : { body: null, content }),
  });
  s.store.descriptor = () => Promise.reject(new Error("must not be asked"));
  const answer = await s.request(`/v2/a/manifests/${digest}`);
  assert.equal(answer.headers.get("docker-content-digest"), digest);
  assert.equal(await answer.text(), MANIFEST);
  const head = await s.request(`/v2/a/manifests/${digest}`, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), String(content.length));
  assert.equal((await s.request(`/v2/secret/manifests/${digest}`)).status, 404);
  assert.deepEqual(s.mirror.requests, []);
  const line = s.log.lines.find(({ message }) => message === "request");
  assert.equal(line?.fields.peer, "p1");
  // A peer is given only what is held here.
  const peers = await s.request(`/v2/a/manifests/${digest}`, { headers: FROM_PEER });
  assert.notEqual(peers.status, 200);
});

test("pull: a small blob is sent whole or not at all", async () => {
  const s = setup({ smallBlobBytes: 1000 });
  const content = new Uint8Array(1000).fill(7);
  const digest = s.store.add(content);
  const path = `/v2/a/blobs/${digest}`;
  assert.deepEqual(await (await s.request(path)).bytes(), content);
  const part = await s.request(path, { headers: { range: "bytes=10-19" } });
  assert.equal(part.status, 206);
  assert.deepEqual(await part.bytes(), content.subarray(10, 20));
  const end = s.log.lines.filter(({ message }) => message === "request").at(-1);
  assert.equal(end?.fields.bytes, 10);
  s.store.open = () =>
    Promise.resolve(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(5));
          controller.error(new Error("disk gone"));
        },
      }),
    );
  assert.equal((await s.request(path)).status, 404);
  assert.equal(s.mirror.requests.length, 1);
});
