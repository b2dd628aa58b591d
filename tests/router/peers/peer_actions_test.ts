import assert from "node:assert/strict";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { PeerId } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { createPeerActions } from "../../../lib/router/peers/peer_actions.ts";
import { test } from "../../support/test.ts";

const DHT = "/spegel/kad/1.0.0";
const { signal } = new AbortController();

/** Actions on one connected peer that is not in the table, which speaks these protocols. */
async function setUp(protocols: readonly string[], answersDht: boolean) {
  const peer = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
  const offered: PeerId[] = [];
  const collaborators = {
    host: {
      node: {
        dial: () => Promise.resolve(),
        getPeers: () => [peer],
        peerStore: { get: () => Promise.resolve({ protocols }) },
      },
      dht: {
        protocol: DHT,
        routingTable: { queueRoutingTableUpdate: (id: PeerId) => void offered.push(id) },
      },
    },
    table: { has: () => false, size: 0 },
    departures: { has: () => false },
    client: {
      ping: () => answersDht ? Promise.resolve() : Promise.reject(new Error("no such protocol")),
    },
  };
  const actions = createPeerActions(
    collaborators as unknown as Parameters<typeof createPeerActions>[0],
    { connectTimeoutMs: 100, maxConnections: 10 },
  );
  return { actions, offered, peer };
}

test("peers: only those that speak this cluster's DHT are offered to the table", async (t) => {
  const cases = [
    { name: "speaks it", protocols: ["/ipfs/id/1.0.0", DHT], answersDht: true, offered: 1 },
    { name: "of another prefix", protocols: ["/edge/kad/1.0.0"], answersDht: false, offered: 0 },
    { name: "not said yet, speaks it", protocols: [], answersDht: true, offered: 1 },
    { name: "not said yet, of another prefix", protocols: [], answersDht: false, offered: 0 },
  ];
  for (const { name, protocols, answersDht, offered: want } of cases) {
    await t.step(name, async () => {
      const { actions, offered, peer } = await setUp(protocols, answersDht);
      await actions.offerConnected();
      assert.equal(offered.length, want);
      await actions.dial(peer, [], { signal });
      assert.equal(offered.length, 2 * want);
    });
  }
});
