/**
 * A proxy before a distant server: data of either side is delayed, and a new connection costs a
 * round trip before any data. Arguments: port, host and port of the server, one-way delay, ms.
 */
const [port = "", hostname = "", serverPort = "", delay = ""] = Deno.args;
const delayMs = Number(delay);

for await (const client of Deno.listen({ port: Number(port) })) {
  serve(client).catch(() => {}).finally(() => close(client));
}

async function serve(client: Deno.TcpConn): Promise<void> {
  client.setNoDelay();
  const server = await Deno.connect({ hostname, port: Number(serverPort) });
  server.setNoDelay();
  await sleep(2 * delayMs);
  await Promise.allSettled([pass(client, server), pass(server, client)]);
  close(server);
}

/** Forwards each chunk after the delay, without holding up those behind it. */
async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  let written = Promise.resolve();
  for (;;) {
    const buffer = new Uint8Array(64 * 1024);
    const read = await from.read(buffer).catch(() => null);
    const due = performance.now() + delayMs;
    const before = written;
    written = (async () => {
      await sleep(due - performance.now());
      await before;
      if (read === null) return await to.closeWrite();
      for (let at = 0; at < read;) at += await to.write(buffer.subarray(at, read));
    })();
    written.catch(() => close(from));
    if (read === null) return await written;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Already closed.
  }
}
