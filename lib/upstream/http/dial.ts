import { deadline } from "../../async/deadline.ts";
import { openTcp, shakeHands } from "../../net/open_connection.ts";

/** Address of a server, and the identity it must prove. */
export interface DialTarget {
  /** Tried in order. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Name to verify by TLS; undefined: plain text. */
  readonly tlsName: string | undefined;
  /** CA certificates trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
}

/** Connects to an IP address; rejects when the signal aborts. */
export type Connect = (address: string, port: number, signal: AbortSignal) => Promise<Deno.TcpConn>;

/** Time for each address but the last, ms (RFC 8305, section 5). */
const ADDRESS_MS = 250;
const MAX_ADDRESSES = 8;

export const connectTcp: Connect = (address, port, signal) => openTcp({ address, port }, signal);

/**
 * Opens a connection.
 *
 * @throws if no address answers, or the TLS name cannot be verified; the signal's reason when that
 * aborts.
 */
export async function dial(
  { addresses, port, tlsName, caCertificates }: DialTarget,
  { connect, signal }: { readonly connect: Connect; readonly signal: AbortSignal },
): Promise<Deno.Conn> {
  const tcp = await connectAny(addresses.slice(0, MAX_ADDRESSES), port, connect, signal);
  if (tlsName === undefined) return tcp;
  const options = { hostname: tlsName, caCerts: [...caCertificates] };
  // Sends nothing yet, so it takes no time; it owns the connection even on failure.
  const conn = await Deno.startTls(tcp, { ...options, alpnProtocols: ["http/1.1"] });
  await shakeHands(conn, signal);
  return conn;
}

async function connectAny(
  addresses: readonly string[],
  port: number,
  connect: Connect,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  let failure: unknown = new Error("there is no address");
  for (const [index, address] of addresses.entries()) {
    const isLast = index === addresses.length - 1;
    using limit = isLast ? undefined : deadline(ADDRESS_MS, { signal });
    try {
      return await connect(address, port, limit?.signal ?? signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}
