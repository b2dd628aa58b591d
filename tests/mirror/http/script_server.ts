/** What a {@link ScriptServer} does with a request: bytes to send, then close or not. */
export interface Answer {
  /** Sent piece by piece. */
  readonly pieces: readonly (string | Uint8Array<ArrayBuffer>)[];
  readonly close?: boolean;
}

/** A server on loopback that answers the requests of all connections from one script. */
export class ScriptServer implements AsyncDisposable {
  /** Connections so far. */
  connections = 0;
  /** Heads of requests so far. */
  readonly requests: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #tasks: Promise<void>[] = [];

  constructor(private readonly script: Answer[]) {
    this.#tasks.push(this.#accept());
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#end(connection);
    await Promise.all(this.#tasks);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connections++;
      this.#open.add(connection);
      this.#tasks.push(
        this.#serve(connection).catch(() => {}).finally(() => this.#end(connection)),
      );
    }
  }

  #end(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(4096);
    let text = "";
    for (let read = await connection.read(buffer); read !== null;) {
      text += new TextDecoder().decode(buffer.subarray(0, read));
      if (text.endsWith("\r\n\r\n")) {
        this.requests.push(text);
        text = "";
        const answer = this.script.shift();
        if (answer === undefined) return;
        for (const piece of answer.pieces) {
          await connection.write(
            typeof piece === "string" ? new TextEncoder().encode(piece) : piece,
          );
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        if (answer.close) return;
      }
      read = await connection.read(buffer);
    }
  }
}
