/**
 * A peer's registry that misbehaves when told to: serves content out of a content store, by digest
 * only, and reads from a file before each answer how to. Arguments: address, port, directory of blobs,
 * file with the manner: `good`, `silent` (accepts and sends nothing), `stalls` (headers, then
 * nothing), `trickles` (headers, then a byte a second).
 */
const [hostname = "", port = "", blobs = "", mannerFile = ""] = Deno.args;
const listener = Deno.listen({ hostname, port: Number(port) });
for await (const connection of listener) {
  serve(connection).catch(() => {}).finally(() => {
    try {
      connection.close();
    } catch {
      // The other side closed it before.
    }
  });
}

async function serve(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  const decoder = new TextDecoder();
  for (let request = "";;) {
    const read = await connection.read(buffer);
    if (read === null) return;
    request += decoder.decode(buffer.subarray(0, read));
    if (!request.includes("\r\n\r\n")) continue;
    await answer(connection, request);
    request = "";
  }
}

async function answer(connection: Deno.Conn, request: string): Promise<void> {
  const manner = (await Deno.readTextFile(mannerFile)).trim();
  if (manner === "silent") return await forever();
  const [, method, path = ""] = /^(\S+) (\S+)/.exec(request) ?? [];
  const hex = /\/sha256:([0-9a-f]{64})(?:\?|$)/.exec(path)?.[1];
  const content = hex && await Deno.readFile(`${blobs}/sha256/${hex}`).catch(() => undefined);
  if (!content) {
    return await write(connection, text(`HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n`));
  }
  const range = /^range: bytes=(\d+)-(\d*)/im.exec(request);
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Number(range[2]) + 1 : content.length;
  const lines = [
    range ? "HTTP/1.1 206 Partial Content" : "HTTP/1.1 200 OK",
    `content-length: ${end - start}`,
    "content-type: application/octet-stream",
    `docker-content-digest: sha256:${hex}`,
    ...(range ? [`content-range: bytes ${start}-${end - 1}/${content.length}`] : []),
  ];
  await write(connection, text(`${lines.join("\r\n")}\r\n\r\n`));
  if (method === "HEAD") return;
  if (manner === "stalls") return await forever();
  if (manner === "good") return await write(connection, content.subarray(start, end));
  for (let at = start; at < end; at++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await write(connection, content.subarray(at, at + 1));
  }
}

async function write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function forever(): Promise<never> {
  return new Promise(() => {});
}
