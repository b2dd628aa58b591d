import { deadline } from "../../async/deadline.ts";
import { openTcp, shakeHands } from "../../net/open_connection.ts";
import { brokenHandshake, isOwnAuthority } from "../misconfigured_error.ts";
import type { TlsSettings } from "../tls_settings.ts";
import type { ByteConnection } from "./byte_connection.ts";
import { secured, tlsOpener } from "./tls_socket.ts";

/** Address of a server, and the identity it must prove. */
export interface DialTarget {
  /** Tried in order. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Name to verify by TLS; undefined: plain text. */
  readonly tlsName: string | undefined;
  readonly tls: TlsSettings;
  /** Dial timeout, ms; undefined: none. */
  readonly timeoutMs?: number | undefined;
}

/** Connects to an IP address; rejects when the signal aborts. */
type Opener<Opened> = (address: string, port: number, signal: AbortSignal) => Promise<Opened>;
export type Connect = Opener<Deno.TcpConn>;

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
  { addresses, port, tlsName, tls, timeoutMs }: DialTarget,
  { connect, signal }: { readonly connect: Connect; readonly signal: AbortSignal },
): Promise<ByteConnection> {
  const open = async <Opened>(opener: Opener<Opened>): Promise<Opened> => {
    using limit = timeoutMs === undefined ? undefined : deadline(timeoutMs, { signal });
    return await connectAny(addresses, port, opener, limit?.signal ?? signal);
  };
  if (tlsName === undefined) return await open(connect);
  const viaNode = async () => await secured(await open(tlsOpener(tlsName, tls)), signal);
  if (tls.client !== undefined || tls.skipVerify === true) return await viaNode();
  try {
    const options = { hostname: tlsName, caCerts: [...tls.caCertificates] };
    // Sends nothing yet, so it takes no time; it owns the connection even on failure.
    const conn = await Deno.startTls(await open(connect), {
      ...options,
      alpnProtocols: ["http/1.1"],
    });
    await shakeHands(conn, signal);
    return conn;
  } catch (error) {
    // The server ended the handshake: its reason, such as a missing client certificate, is lost.
    if (error instanceof Deno.errors.BrokenPipe) throw brokenHandshake(error);
    // containerd accepts a server certificate that is its own CA. Deno 2.6 does not, and there it
    // cannot be compared with the peer's either: without verification the peer need not have its key.
    if (!isOwnAuthority(error)) throw error;
    return await viaNode();
  }
}

async function connectAny<Opened>(
  addresses: readonly string[],
  port: number,
  connect: Opener<Opened>,
  signal: AbortSignal,
): Promise<Opened> {
  let failure: unknown = new Error("there is no address");
  const tried = addresses.slice(0, MAX_ADDRESSES);
  for (const [index, address] of tried.entries()) {
    const isLast = index === tried.length - 1;
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
