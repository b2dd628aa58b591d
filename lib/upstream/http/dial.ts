import { deadline } from "../../async/deadline.ts";
import { openTcp, shakeHands } from "../../net/open_connection.ts";

/** Where to connect, and who has to be there. */
export interface Place {
  /** Tried one after the other. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** The name that is to be proved by TLS; undefined: in the clear. */
  readonly tlsName: string | undefined;
  /** Certificates that are trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
}

/** Connects to an IP address; rejects when the signal aborts. */
export type Connect = (address: string, port: number, signal: AbortSignal) => Promise<Deno.TcpConn>;

/** Each address but the last has so long to answer, ms (RFC 8305, section 5). */
const ADDRESS_MS = 250;
const MAX_ADDRESSES = 8;

/** Connects by TCP. */
export const connectTcp: Connect = (address, port, signal) => openTcp({ address, port }, signal);

/**
 * Opens a connection.
 *
 * @throws if none of the addresses answers, or whoever does cannot prove its name; the signal's
 * reason when that aborts.
 */
export async function dial(
  { addresses, port, tlsName, caCertificates }: Place,
  { connect, signal }: { readonly connect: Connect; readonly signal: AbortSignal },
): Promise<Deno.Conn> {
  const tcp = await connectAny(addresses.slice(0, MAX_ADDRESSES), port, connect, signal);
  if (tlsName === undefined) return tcp;
  const options = { hostname: tlsName, caCerts: [...caCertificates] };
  // Nothing is sent yet, so this takes no time; it takes the connection over, whatever comes of it.
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
