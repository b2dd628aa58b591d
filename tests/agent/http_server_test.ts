import assert from "node:assert/strict";
import { ListenError, startHttpServer } from "../../lib/agent/http_server.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const collaborators = { fetch: () => new Response("here"), log: new MemoryLog() };
const LOOPBACK = { host: "127.0.0.1", port: 0 };

test("http server: all interfaces are both IP families", async () => {
  const server = startHttpServer(collaborators, { host: "", port: 0 });
  try {
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    assert.equal(await response.text(), "here");
    if (server.hostname === "::") {
      assert.equal(await (await fetch(`http://[::1]:${server.port}/`)).text(), "here");
      assert.equal(server.address, `[::]:${server.port}`);
    } else {
      assert.equal(server.address, `0.0.0.0:${server.port}`);
    }
  } finally {
    await server.shutdown(1000);
  }
  await assert.rejects(fetch(`http://127.0.0.1:${server.port}/`));
});

test("http server: an address that cannot be used is named in the error", async () => {
  const first = startHttpServer(collaborators, LOOPBACK);
  const cases: [host: string, port: number, message: RegExp][] = [
    ["127.0.0.1", first.port, /^cannot listen on 127\.0\.0\.1:\d+: the address is already in use$/],
    ["", first.port, /^cannot listen on :\d+: the address is already in use$/],
    ["192.0.2.1", 0, /^cannot listen on 192\.0\.2\.1:0: no interface has this address$/],
  ];
  try {
    for (const [host, port, message] of cases) {
      assert.throws(() => startHttpServer(collaborators, { host, port }), (error) => {
        assert.ok(error instanceof ListenError);
        assert.match(error.message, message);
        assert.equal(error.address, `${host}:${port}`);
        return true;
      });
    }
  } finally {
    await first.shutdown(1000);
  }
});

test("http server: a handler that fails is a 500 without words, and is logged", async () => {
  const log = new MemoryLog();
  const fetchFails = () => Promise.reject(new Error("secret"));
  const server = startHttpServer({ fetch: fetchFails, log }, LOOPBACK);
  try {
    const response = await fetch(`http://${server.address}/`);
    assert.equal(response.status, 500);
    assert.equal(await response.text(), "");
    assert.equal(log.lines[0]?.level, "error");
  } finally {
    await server.shutdown(1000);
  }
});
