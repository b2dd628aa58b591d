import assert from "node:assert/strict";
import { connect } from "node:net";
import { deadline } from "../../lib/async/deadline.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { Store } from "../../lib/ports/store.ts";
import { MemoryStore } from "../fakes/store.ts";
import { until } from "../support/eventually.ts";
import { test } from "../support/test.ts";
import { sendRaw, serve } from "./loopback.ts";
import { MANIFEST, setup } from "./setup.ts";

type Content = ReadableStream<Uint8Array<ArrayBuffer>>;

/** A store that describes a blob of `size` bytes and opens this stream for it. */
function storeWith(size: number, open: (signal: AbortSignal) => Content): Store {
  return {
    name: "scripted",
    resolve: () => Promise.resolve(undefined),
    descriptor: (digest) =>
      Promise.resolve({ digest, size, mediaType: "application/octet-stream" }),
    open: (_digest, { signal }) => Promise.resolve(open(signal)),
  };
}

const DIGEST: Digest = `sha256:${"1".repeat(64)}`;
const GET_BLOB = `GET /v2/a/blobs/${DIGEST} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Yields so many chunks of 1000 bytes and then ends as told. */
function chunks(count: number, end: "close" | "error"): Content {
  return new ReadableStream({
    pull(controller) {
      if (count-- > 0) controller.enqueue(new Uint8Array(1000));
      else if (end === "close") controller.close();
      else controller.error(new Error("disk gone"));
    },
  }, { highWaterMark: 0 });
}

test("loopback: a source that breaks, or ends early, breaks the connection", async () => {
  for (const end of ["error", "close"] as const) {
    for (const count of [1, 3]) {
      const s = setup({}, { store: storeWith(5000, () => chunks(count, end)) });
      await using server = serve(s);
      const raw = await sendRaw(server.port, GET_BLOB).catch(() => undefined);
      // The headers may not have been sent yet when the source breaks at once.
      if (raw !== undefined) {
        assert.equal(raw.headers.get("content-length"), "5000");
        assert.ok(raw.body.length < 5000, `${raw.body.length} bytes`);
      }
      const read = fetch(`http://${server.address}/v2/a/blobs/${DIGEST}`).then((r) => r.bytes());
      await assert.rejects(read);
      const lines = s.log.lines.filter(({ message }) => message === "request");
      assert.equal(lines.length, 2);
      for (const line of lines) {
        assert.equal(line.level, "warn");
        assert.match(String(line.fields["error"]), end === "error" ? /disk gone/ : /announced/);
        assert.equal(line.fields["bytes"], count * 1000);
      }
    }
  }
});

test("loopback: whole and partial blobs arrive byte for byte", async () => {
  const s = setup();
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const digest = s.store.add(bytes);
  await using server = serve(s);
  const url = `http://${server.address}/v2/a/blobs/${digest}`;
  const whole = await fetch(url, { headers: { "accept-encoding": "gzip, br, zstd" } });
  assert.equal(whole.headers.get("content-encoding"), null);
  assert.equal(whole.headers.get("content-length"), "65536");
  assert.deepEqual(await whole.bytes(), bytes);
  const part = await fetch(url, { headers: { range: "bytes=1000-1999" } });
  assert.equal(part.status, 206);
  assert.deepEqual(await part.bytes(), bytes.slice(1000, 2000));
  await until(() => s.inFlight() === 0);
  assert.ok(s.log.lines.every(({ fields }) => fields["error"] === undefined));
  assert.equal(s.log.lines[0]?.fields["ip"], "127.0.0.1");
});

test("loopback: a manifest keeps its length though the client takes compressed answers", async () => {
  const s = setup();
  const text = MANIFEST.padEnd(5000);
  const digest = s.store.add(text);
  await using server = serve(s);
  for (const method of ["GET", "HEAD"]) {
    const { headers, body } = await sendRaw(
      server.port,
      `${method} /v2/a/manifests/${digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
        "Accept-Encoding: zstd;q=1.0, gzip;q=0.8, deflate;q=0.5\r\n\r\n",
    );
    assert.equal(headers.get("content-length"), "5000");
    assert.equal(headers.get("content-encoding"), undefined);
    assert.equal(body.length, method === "HEAD" ? 0 : 5000);
  }
});

test("loopback: a client that leaves cancels source and signal", async () => {
  let cancelled = 0;
  let seen: AbortSignal | undefined;
  const endless = (signal: AbortSignal): Content => {
    seen = signal;
    return new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
      cancel: () => void cancelled++,
    }, { highWaterMark: 0 });
  };
  const s = setup({}, { store: storeWith(2 ** 40, endless) });
  await using server = serve(s);
  const socket = connect({ port: server.port, host: "127.0.0.1" }, () => socket.write(GET_BLOB));
  await new Promise<void>((resolve) => socket.once("data", () => resolve()));
  socket.destroy();
  await until(() => s.inFlight() === 0);
  assert.equal(cancelled, 1);
  assert.equal(seen?.aborted, true);
  const [line] = s.log.lines;
  assert.equal(line?.level, "info");
  assert.match(String(line?.fields["error"]), /went away/);
});

test("loopback: a client that leaves before there is an answer aborts the mirror", async () => {
  const s = setup({}, { store: new MemoryStore() });
  let asked = false;
  s.mirror.answer = (_request, { signal }) => {
    asked = true;
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
  };
  await using server = serve(s);
  const socket = connect({ port: server.port, host: "127.0.0.1" }, () => socket.write(GET_BLOB));
  await until(() => asked);
  socket.destroy();
  await until(() => s.inFlight() === 0);
  assert.equal(s.log.lines[0]?.fields["status"], 499);
});

test("loopback: malformed and unusual requests get a 4xx, and the server lives on", async () => {
  const s = setup();
  await using server = serve(s);
  const close = "Connection: close\r\n\r\n";
  const cases: [request: string, status: number][] = [
    [`GET /v2/ HTTP/1.0\r\n\r\n`, 200],
    [`GET /v2/ HTTP/1.1\r\nHost: a b/../%%%\r\n${close}`, 400],
    [`GET http://other.example:80/v2/ HTTP/1.1\r\nHost: x\r\n${close}`, 200],
    [`GET /v2/../../etc/passwd HTTP/1.1\r\nHost: x\r\n${close}`, 404],
    [`GET /v2/../manifests/1 HTTP/1.1\r\nHost: x\r\n${close}`, 400],
    [`GET /v2/%ff/manifests/1 HTTP/1.1\r\nHost: x\r\n${close}`, 400],
    [`GET /v2/\u00ff/manifests/1 HTTP/1.1\r\nHost: x\r\n${close}`, 400],
    [`GET /v2/a//b/manifests/1 HTTP/1.1\r\nHost: x\r\n${close}`, 400],
    [`GET /v2/${"a".repeat(10_000)}/manifests/1 HTTP/1.1\r\nHost: x\r\n${close}`, 414],
    [`GET //v2// HTTP/1.1\r\nHost: x\r\n${close}`, 404],
    [`OPTIONS * HTTP/1.1\r\nHost: x\r\n${close}`, 404],
    [`TRACE /v2/ HTTP/1.1\r\nHost: x\r\n${close}`, 405],
    [`PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n${close}abc`, 405],
    [`GARBAGE\r\n\r\n`, 400],
    [`GET /v2/ HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(1_000_000)}\r\n${close}`, 431],
    [`GET /v2/ HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(1000)}${close}`, 431],
  ];
  for (const [request, status] of cases) {
    const shown = request.slice(0, 60);
    const answer = await sendRaw(server.port, request).catch((error) => {
      // A server that refuses what it has not read wholly may reset the connection.
      assert.equal(status, 431, `${shown}: ${error}`);
      return undefined;
    });
    if (answer === undefined) continue;
    if (status === 431) assert.ok(answer.status === 431 || answer.status === 400, shown);
    else assert.equal(answer.status, status, shown);
  }
  assert.equal(
    (await sendRaw(server.port, `GET /livez HTTP/1.1\r\nHost: x\r\n${close}`)).status,
    200,
  );
});

test("loopback: shutting down lets a transfer end, and breaks what does not end in time", async () => {
  for (const [drainMs, whole] of [[10_000, true], [50, false]] as const) {
    let release = () => {};
    const released = new Promise<void>((resolve) => release = resolve);
    let sent = 0;
    const slow = (): Content =>
      new ReadableStream({
        async pull(controller) {
          if (sent++ === 1) await released;
          if (sent <= 2) controller.enqueue(new Uint8Array(1000));
          else controller.close();
        },
        cancel: () => release(),
      }, { highWaterMark: 0 });
    const s = setup({}, { store: storeWith(2000, slow) });
    const server = serve(s);
    const url = `http://${server.address}/v2/a/blobs/${DIGEST}`;
    const response: Response = await fetch(url);
    using limit = deadline(drainMs);
    const drained = s.drain({ signal: limit.signal });
    const stopped = server.shutdown(drainMs);
    if (whole) {
      release();
      assert.equal((await response.bytes()).length, 2000);
    } else {
      await assert.rejects(response.bytes());
    }
    assert.equal(await drained, whole ? 0 : 1);
    await stopped;
    await until(() => s.inFlight() === 0);
  }
});

test("loopback: a server that is shut down with no patience breaks what is under way", async () => {
  const s = setup({}, { store: storeWith(2000, () => new ReadableStream({ pull: () => {} })) });
  const server = serve(s);
  const response = await fetch(`http://${server.address}/v2/a/blobs/${DIGEST}`);
  const read = assert.rejects(response.bytes());
  await server.shutdown(0);
  await read;
  await until(() => s.inFlight() === 0);
});

test("loopback: a large blob arrives as it is, whatever the server frees on the way", async () => {
  const chunk = 256 * 1024;
  const count = 64;
  let made = 0;
  const blob = () =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (made === count) return controller.close();
        controller.enqueue(new Uint8Array(chunk).fill(++made));
      },
    }, { highWaterMark: 0 });
  const s = setup({}, { store: storeWith(chunk * count, blob) });
  await using server = serve(s);
  const response = await fetch(`http://${server.address}/v2/a/blobs/${DIGEST}`);
  const bytes = await response.bytes();
  assert.equal(bytes.length, chunk * count);
  assert.ok(bytes.every((byte, at) => byte === Math.floor(at / chunk) + 1));
});

test("loopback: a client that does not read has next to nothing read for it", async () => {
  const chunk = 256 * 1024;
  const size = 512 * 1024 * 1024;
  let read = 0;
  const endless = () =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        read += chunk;
        controller.enqueue(new Uint8Array(chunk));
      },
    }, { highWaterMark: 0 });
  const s = setup({}, { store: storeWith(size, endless) });
  await using server = serve(s);
  const socket = connect({ port: server.port, host: "127.0.0.1" });
  socket.pause();
  socket.write(GET_BLOB);
  await until(() => read > 0);
  let before = -1;
  while (before < read) {
    before = read;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // The sockets' own buffers take a few MB before the server's backpressure shows.
  assert.ok(read < 48 * 1024 * 1024, `${read} bytes read`);
  socket.destroy();
});
