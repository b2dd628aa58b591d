/** A byte stream in both directions, of any API of the runtime. */
export type ByteConnection = Pick<Deno.Conn, "read" | "write" | "close">;
