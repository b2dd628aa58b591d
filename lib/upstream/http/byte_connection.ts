/** A connection over which bytes go, of whatever runtime's API. */
export type ByteConnection = Pick<Deno.Conn, "read" | "write" | "close">;
