import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import { openTcp, shakeHands } from "../../net/open_connection.ts";
import { type Connect, connectTcp } from "./connect.ts";

/** RFC 8446, section 5.1: a record brings no more; the runtime hands out one at a time. */
const RECORD_BYTES = 16 * 1024;
/** How often failures of TLS are logged, ms. */
const REPORT_EVERY_MS = 60_000;

/** How peers are authenticated by TLS. */
export interface PeerTrust {
  /** The authority that signs peers' certificates, as PEM. */
  readonly authority: string;
  /** DNS name that each of these certificates carries. */
  readonly name: string;
  /** Port of the peers' TLS, in place of that of their registry. */
  readonly port: number;
  /** Whether peers that refuse connections there are connected to in the clear. */
  readonly optional: boolean;
}

/** What TLS works with. */
export interface ConnectTlsCollaborators {
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/**
 * Connects by TLS (1.2 or 1.3). Peers have no names of their own, so all have the same one. The
 * name is checked, since the runtime trusts the public authorities, too, which sign other names.
 *
 * @param trust asked at each connection.
 */
export function createTlsConnect(
  trust: () => PeerTrust,
  { clock, log }: ConnectTlsCollaborators,
): Connect {
  let reportedAt = -Infinity;
  return async (place, signal) => {
    const { address } = place;
    const { authority, name, port, optional } = trust();
    let tcp: Deno.TcpConn;
    try {
      tcp = await openTcp({ address, port }, signal);
    } catch (error) {
      if (!optional || !(error instanceof Deno.errors.ConnectionRefused)) throw error;
      return await connectTcp(place, signal);
    }
    // It takes over the connection. Nothing is sent yet, so this does not wait.
    const conn = await Deno.startTls(tcp, { hostname: name, caCerts: [authority] });
    try {
      await shakeHands(conn, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (clock.now() - reportedAt >= REPORT_EVERY_MS) {
        reportedAt = clock.now();
        log.warn("a peer does not prove by TLS who it is", { address, port, error });
      }
      throw error;
    }
    return { conn, readBytes: RECORD_BYTES, secure: true };
  };
}
