import { Buffer } from "node:buffer";
import { type AddressInfo, connect } from "node:net";
import { type HttpServer, startHttpServer } from "../../lib/agent/http_server.ts";
import { MemoryLog } from "../fakes/log.ts";
import type { Setup } from "./setup.ts";

/** Serves a registry on loopback; `await using` stops it. */
export function serve(s: Pick<Setup, "app">): HttpServer & AsyncDisposable {
  const fetch = (request: Request, info: { remoteAddr: Deno.Addr }) => s.app.fetch(request, info);
  const server = startHttpServer({ fetch, log: new MemoryLog() }, { host: "127.0.0.1", port: 0 });
  return { ...server, [Symbol.asyncDispose]: () => server.shutdown(0) };
}

/** What came back on a connection before it was closed. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Map<string, string>;
  /** Bytes after the headers. */
  readonly body: Uint8Array;
}

/** Sends bytes as they are and reads until the server closes the connection. */
export function sendRaw(
  port: AddressInfo["port"],
  request: string | Uint8Array,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request));
    socket.setTimeout(10_000, () => socket.destroy(new Error("no end of the answer in 10 s")));
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    let failure: Error | undefined;
    socket.on("error", (error) => failure = error);
    // A reset after the answer ends it like an orderly close; before it there is no answer.
    socket.on("close", () => {
      const answer = parseAnswer(chunks);
      if (answer === undefined) reject(failure ?? new Error("closed without an answer"));
      else resolve(answer);
    });
  });
}

function parseAnswer(chunks: Uint8Array[]): RawAnswer | undefined {
  const bytes = new Uint8Array(Buffer.concat(chunks));
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(statusLine.split(" ")[1]),
    headers: new Map(headers),
    body: bytes.subarray(end + 4),
  };
}
