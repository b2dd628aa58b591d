/**
 * Stands between clients and a server that is far away: what either side sends arrives so much
 * later, and a connection costs a round trip before anything is sent on it. Arguments: port, host
 * and port of the server, delay each way, ms.
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

/** Passes on what is read, each piece so much later, without holding up those behind it. */
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
    // Closed before.
  }
}
