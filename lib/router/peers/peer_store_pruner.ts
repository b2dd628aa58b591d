import type { PeerId } from "@libp2p/interface";
import type { Host } from "../libp2p/host.ts";
import type { RoutingTable } from "./routing_table.ts";

/** Maximum peers in the peer store; answers of the DHT may name any number. */
const MAX_KEPT = 4096;

/** Removes peers that are neither connected nor in the routing table, if there are too many. */
export async function prunePeerStore(
  { node }: Pick<Host, "node">,
  table: Pick<RoutingTable, "has">,
  maxKept: number = MAX_KEPT,
): Promise<void> {
  const all = await node.peerStore.all();
  if (all.length <= maxKept) return;
  const isNeeded = (id: PeerId) =>
    id.equals(node.peerId) || table.has(id) || node.getConnections(id).length > 0;
  const excess = all.filter(({ id }) => !isNeeded(id)).slice(0, all.length - maxKept);
  for (const { id } of excess) await node.peerStore.delete(id);
}
