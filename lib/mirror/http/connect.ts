import { openTcp } from "../../net/open_connection.ts";

/** Where a peer listens. */
export interface Place {
  /** IP address without brackets. */
  readonly address: string;
  readonly port: number;
}

/** A connection, and the most bytes that one read of it can bring. */
export interface Wire {
  readonly conn: Deno.Conn;
  readonly readBytes: number;
  /** The other end has a trusted certificate; default false. */
  readonly secure?: boolean;
}

/** Connects to a peer; rejects if that fails, and when the signal aborts. */
export type Connect = (place: Place, signal: AbortSignal) => Promise<Wire>;

/** Connects by TCP. */
export const connectTcp: Connect = async (place, signal) => {
  return { conn: await openTcp(place, signal), readBytes: Infinity };
};
