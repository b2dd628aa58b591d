import assert from "node:assert/strict";
import { connectTcp } from "../../../lib/mirror/http/connect.ts";
import { HttpConnection } from "../../../lib/mirror/http/connection.ts";
import { test } from "../../support/test.ts";

test("a few bytes that were read do not keep a large buffer", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async () => {
    const conn = await listener.accept();
    await conn.read(new Uint8Array(1024));
    const write = (text: string) => conn.write(new TextEncoder().encode(text));
    await write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    // The next read gets these bytes alone: the connection waits for a sign that it is reading.
    await reading.promise;
    await write("few");
    await conn.read(new Uint8Array(1)).catch(() => null);
    conn.close();
  };
  const reading = Promise.withResolvers<void>();
  const served = serve();
  const { signal } = new AbortController();
  const place = { address: "127.0.0.1", port: listener.addr.port };
  const connection = await HttpConnection.open(connectTcp, place, signal, () => {});
  await connection.exchange({ method: "GET", path: "/", headers: {} }, signal);
  reading.resolve();
  const bytes = await connection.read(256 * 1024);
  assert.equal(new TextDecoder().decode(bytes), "few");
  assert.equal(bytes?.buffer.byteLength, 3);
  connection.close();
  await served;
});
