import { systemClock } from "../../async/clock.ts";
import { deadline } from "../../async/deadline.ts";
import type { Config } from "../../config/options.ts";
import { createTlsConnect } from "../../mirror/http/connect_tls.ts";
import type { PeerView } from "../../observability/debug/debug_source.ts";
import type { Check } from "../../ports/check.ts";
import { createLog } from "../../observability/log.ts";
import { failed, ok } from "../../agent/preflight.ts";
import { PeerTls } from "../../agent/peer_tls.ts";
import { messageOf } from "../../async/thrown.ts";

/** Timeout of a peer, ms. */
const CONNECT_MS = 2000;

/** Checks that peers authenticate by TLS, if that is configured. */
export async function checkPeerTls(
  config: Config,
  peers: readonly Pick<PeerView, "addresses">[],
): Promise<Check[]> {
  // The check reports what it would log.
  const log = createLog({ level: "error" });
  const tls = await PeerTls.open(config, { clock: systemClock, log });
  if (tls === undefined) return [];
  const name = "TLS of peers";
  const connect = createTlsConnect(tls.trust, { clock: systemClock, log });
  const { port } = tls.trust();
  const answers = await Promise.all(peers.map(async ({ addresses: [address = ""] }) => {
    using limit = deadline(CONNECT_MS);
    try {
      const { conn } = await connect({ address, port }, limit.signal);
      conn.close();
      return undefined;
    } catch (error) {
      return `${address} (${messageOf(error)})`;
    }
  }));
  const bad = answers.filter((answer) => answer !== undefined);
  if (bad.length === 0) return [ok(name, `${answers.length} of ${answers.length} authenticate`)];
  const check = failed(
    name,
    `${bad.length} of ${answers.length} peers are not known by TLS, such as ${bad[0]}`,
    `open port ${port} (TCP) between nodes, and give all of them --peer-tls-dir with ` +
      `certificates of one authority for the name ${config.peerTlsName}`,
  );
  // If TLS is only preferred, some nodes may not have it yet.
  return [tls.required ? check : { ...check, state: "warning" }];
}
