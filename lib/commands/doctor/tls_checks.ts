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

/** How long a peer may take, ms. */
const CONNECT_MS = 2000;

/** Whether peers prove by TLS who they are, where that is asked of them. */
export async function checkPeerTls(
  config: Config,
  peers: readonly Pick<PeerView, "addresses">[],
): Promise<Check[]> {
  // What it would log is what the check says.
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
  if (bad.length === 0) return [ok(name, `${answers.length} of ${answers.length} are known by it`)];
  const check = failed(
    name,
    `${bad.length} of ${answers.length} peers are not known by TLS, such as ${bad[0]}`,
    `open port ${port} (TCP) between nodes, and give all of them --peer-tls-dir with ` +
      `certificates of one authority for the name ${config.peerTlsName}`,
  );
  // Where it is only preferred, some nodes may still be without.
  return [tls.required ? check : { ...check, state: "warning" }];
}
