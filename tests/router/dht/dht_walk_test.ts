import assert from "node:assert/strict";
import type { PeerId } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { dhtKey, kademliaId } from "../../../lib/router/dht/dht_key.ts";
import { encodeMessage, MESSAGE_TYPE } from "../../../lib/router/dht/dht_message.ts";
import { DhtWalk, type DhtWalkOptions } from "../../../lib/router/dht/dht_walk.ts";
import { NearestPeers } from "../../../lib/router/dht/nearest_peers.ts";
import { createPeerDecoder } from "../../../lib/router/dht/peer_decoder.ts";
import { Provider } from "../../../lib/router/dht/provider.ts";
import { test } from "../../support/test.ts";
import { peerIds } from "../ids.ts";

const { multihash } = dhtKey("docker.io/library/nginx:1.27");
const position = kademliaId(multihash);
const question = encodeMessage({ type: MESSAGE_TYPE.findNode, key: multihash });
const [SELF, ...PEERS] = await peerIds(61);
assert(SELF);

function ring(peers: readonly PeerId[]) {
  return new NearestPeers(peers.map((peer) => ({
    peer,
    position: kademliaId(peer.toMultihash().bytes),
    wire: new Provider(peer, [multiaddr("/ip4/10.0.0.1/tcp/5001")]).wire,
  })));
}

const ALL = ring(PEERS);
const nearest = (count: number) => ALL.to(position, count).map(({ peer }) => peer.toString());

/** A network in which everybody knows the ten peers nearest to a key; this node knows `known`. */
function makeWalk(
  known: readonly PeerId[],
  options: Partial<DhtWalkOptions> = {},
  dead: readonly string[] = [],
) {
  const asked: string[] = [];
  const failed: string[] = [];
  const introduced: string[] = [];
  const table = ring(known);
  let open = 0;
  let most = 0;
  const walk = new DhtWalk({
    self: SELF as PeerId,
    table: { nearest: (at, count) => table.to(at, count) },
    client: {
      async ask(peer) {
        asked.push(peer.toString());
        most = Math.max(most, ++open);
        await new Promise((resolve) => setTimeout(resolve));
        open--;
        if (dead.includes(peer.toString())) throw new Error("no answer");
        const closer = ALL.to(position, 10).map(({ wire }) => wire);
        return { type: MESSAGE_TYPE.findNode, key: multihash, closer, providers: [] };
      },
    },
    decode: createPeerDecoder(),
    introduce: ({ id }) => Promise.resolve(void introduced.push(id.toString())),
    isConnected: () => true,
    isDown: () => false,
    onFailure: (peer) => failed.push(peer.toString()),
  }, { position, question, width: 8, signal: new AbortController().signal, ...options });
  return { walk, asked, failed, introduced, most: () => most };
}

test("a walk ends at the nearest peers, which nobody here knew, a few at once", async () => {
  const { walk, asked, introduced, most } = makeWalk(PEERS.slice(0, 3));
  const found = (await walk.run()).map(({ id }) => id.toString());
  assert.deepEqual(found, nearest(8));
  assert.deepEqual(
    new Set(introduced),
    new Set(
      nearest(10).filter((id) => {
        return asked.includes(id) && !PEERS.slice(0, 3).map(String).includes(id);
      }),
    ),
  );
  assert.equal(new Set(asked).size, asked.length, "nobody is asked twice");
  assert(most() <= 4);
});

test("dead peers are reported, and the next nearest take their place", async () => {
  const dead = nearest(3);
  const { walk, failed } = makeWalk(PEERS, {}, dead);
  const found = (await walk.run()).map(({ id }) => id.toString());
  assert.deepEqual(failed.sort(), dead.sort());
  assert.deepEqual(found.slice(0, 7), nearest(10).slice(3));
});

test("a walk ends when there is enough, when nobody is known and when nobody answers", async () => {
  const enough = makeWalk(PEERS, { enough: () => true });
  await enough.walk.run();
  assert.deepEqual(enough.asked, []);
  assert.deepEqual(await makeWalk([]).walk.run(), []);
  const lonely = makeWalk(PEERS.slice(0, 5), {}, PEERS.map(String));
  assert.deepEqual(await lonely.walk.run(), []);
  assert.equal(lonely.asked.length, 5);
});

test("a walk that is aborted asks nobody further", async () => {
  const { walk, asked } = makeWalk(PEERS, { signal: AbortSignal.abort() });
  await walk.run();
  assert.deepEqual(asked, []);
});
