import { digestOf } from "../../lib/oci/digest.ts";
import type { Peer } from "../../lib/ports/router.ts";

/** How a peer misbehaves; offsets count from the start of the content. */
export interface Faults {
  /** Accepts connections and never answers. */
  silent?: boolean;
  /** Milliseconds before the headers. */
  headerDelayMs?: number;
  /** Answers every content request with this status. */
  status?: number;
  /** Replaces or adds headers; an empty value removes one. */
  headers?: Record<string, string>;
  /** Closes the connection before this byte. */
  dieAt?: number;
  /** Sends nothing from this byte on, connection open. */
  stallAt?: number;
  /** From this byte on sends `trickleBytes`, one unless given, each `trickleMs`. */
  trickleAt?: number;
  trickleMs?: number;
  trickleBytes?: number;
  /** Pause before each 64 KiB: a link of limited rate. */
  chunkDelayMs?: number;
  /** Flips this byte. */
  lieAt?: number;
  /** Appends bytes: more than the length says. */
  extraBytes?: number;
  /** Answers 200 with everything to a range request. */
  ignoreRange?: boolean;
}

/** A request that the peer has seen. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
}

/** What a peer has: by digest, and by the path of a tag. */
export type Content = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** A peer over plain sockets that serves content, and fails as it is told. */
export class FaultPeer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  /** May be replaced at any time. */
  faults: Faults;
  readonly peer: Peer;
  /** Connections that the other side closed while an answer was under way. */
  cancelled = 0;
  /** Bytes of bodies sent. */
  sent = 0;
  readonly #listener: Deno.TcpListener;
  readonly #content: Map<string, Uint8Array<ArrayBuffer>>;
  readonly #connections = new Set<Deno.Conn>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(id: string, content: Content, faults: Faults = {}, addresses = ["127.0.0.1"]) {
    this.#listener = Deno.listen({ hostname: addresses.at(-1) ?? "127.0.0.1", port: 0 });
    this.#content = new Map(content);
    this.faults = faults;
    this.peer = { id, addresses, registryPort: this.#listener.addr.port };
    this.#spawn(this.#accept());
  }

  /** Requests for content, without probes. */
  get asked(): SeenRequest[] {
    return this.requests.filter(({ path }) => path !== "/v2/");
  }

  /** Adds content. */
  add(key: string, content: Uint8Array<ArrayBuffer>): void {
    this.#content.set(key, content);
  }

  /** Closes the listener and all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    try {
      this.#listener.close();
    } catch {
      // Closed before.
    }
    for (const connection of this.#connections) close(connection);
    await Promise.all(this.#tasks);
  }

  #spawn(task: Promise<void>): void {
    const kept: Promise<void> = task.catch(() => {}).finally(() => this.#tasks.delete(kept));
    this.#tasks.add(kept);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      this.#spawn(
        this.#serve(connection).finally(() => {
          this.#connections.delete(connection);
          close(connection);
        }),
      );
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const decoder = new TextDecoder();
    let head = "";
    const buffer = new Uint8Array(4096);
    while (true) {
      const read = await connection.read(buffer);
      if (read === null) return;
      head += decoder.decode(buffer.subarray(0, read));
      if (!head.includes("\r\n\r\n")) continue;
      const [first = "", ...lines] = head.trim().split("\r\n");
      head = "";
      const [method = "", path = ""] = first.split(" ");
      const headers = new Headers(
        lines.map((line): [string, string] => {
          const colon = line.indexOf(":");
          return [line.slice(0, colon), line.slice(colon + 1).trim()];
        }),
      );
      this.requests.push({ method, path, headers });
      if (!await this.#answer(connection, { method, path, headers })) return;
    }
  }

  /** Says whether the connection can be used again. */
  async #answer(connection: Deno.Conn, { method, path, headers }: SeenRequest): Promise<boolean> {
    const { faults } = this;
    if (faults.silent) return await this.#hang(connection);
    if (path === "/v2/") {
      return await this.#write(connection, head(200, { "content-length": "2" }, "{}"));
    }
    if (faults.headerDelayMs !== undefined) await this.#pause(faults.headerDelayMs);
    const content = this.#content.get(
      new URL(path, "http://peer").pathname.split("/").at(-1) ?? "",
    );
    const status = faults.status ?? (content === undefined ? 404 : 200);
    if (status !== 200 || content === undefined) {
      return await this.#write(
        connection,
        head(status, { "content-length": "0", ...faults.headers }),
      );
    }
    const range = faults.ignoreRange
      ? null
      : /^bytes=(\d*)-(\d*)$/.exec(headers.get("range") ?? "");
    const [start, end] = bounds(range, content.length);
    if (start >= end && range !== null) {
      return await this.#write(
        connection,
        head(416, {
          "content-length": "0",
          "content-range": `bytes */${content.length}`,
          ...faults.headers,
        }),
      );
    }
    const sent = await this.#write(
      connection,
      head(range === null ? 200 : 206, {
        "content-length": String(end - start),
        "content-type": "application/octet-stream",
        "docker-content-digest": digestOf(content),
        ...(range === null
          ? {}
          : { "content-range": `bytes ${start}-${end - 1}/${content.length}` }),
        ...faults.headers,
      }),
    );
    return sent && (method === "HEAD" || await this.#send(connection, content, start, end));
  }

  async #send(connection: Deno.Conn, content: Uint8Array, start: number, end: number) {
    const {
      dieAt = Infinity,
      stallAt = Infinity,
      trickleAt = Infinity,
      trickleMs = 20,
      chunkDelayMs = 0,
      trickleBytes = 1,
      lieAt,
      extraBytes,
    } = this.faults;
    for (let at = start; at < end;) {
      if (at >= dieAt) return false;
      if (at >= stallAt) return await this.#hang(connection);
      if (at >= trickleAt) await this.#pause(trickleMs);
      else if (chunkDelayMs > 0) await this.#pause(chunkDelayMs);
      const step = at >= trickleAt ? trickleBytes : 65_536;
      const next = Math.min(
        ...[at + step, end, dieAt, stallAt, trickleAt].filter((stop) => stop > at),
      );
      const chunk = content.slice(at, next);
      if (lieAt !== undefined && lieAt >= at && lieAt < next) {
        chunk.set([(chunk[lieAt - at] ?? 0) ^ 0xff], lieAt - at);
      }
      if (!await this.#write(connection, chunk)) return false;
      this.sent += chunk.length;
      at = next;
    }
    if (extraBytes !== undefined) await this.#write(connection, new Uint8Array(extraBytes));
    return true;
  }

  /** Waits for the other side to give up. */
  async #hang(connection: Deno.Conn): Promise<boolean> {
    const read = await connection.read(new Uint8Array(1)).catch(() => null);
    if (read === null && !this.#stop.signal.aborted) this.cancelled++;
    return false;
  }

  async #write(connection: Deno.Conn, bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
      return true;
    } catch {
      if (!this.#stop.signal.aborted) this.cancelled++;
      return false;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#stop.signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#stop.signal.addEventListener("abort", done);
    });
  }
}

function bounds(range: RegExpExecArray | null, size: number): [start: number, end: number] {
  if (range === null) return [0, size];
  const [, first = "", last = ""] = range;
  if (first === "") return [Math.max(size - Number(last), 0), size];
  return [Number(first), last === "" ? size : Math.min(Number(last) + 1, size)];
}

function head(status: number, headers: Record<string, string>, body = ""): Uint8Array {
  const lines = Object.entries(headers).filter(([, value]) => value !== "");
  return new TextEncoder().encode(
    [`HTTP/1.1 ${status} Status`, ...lines.map(([name, value]) => `${name}: ${value}`), "", body]
      .join("\r\n"),
  );
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed before.
  }
}
