import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { PeerId } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";

/** Peer ids that are the same in each run. */
export async function peerIds(count: number): Promise<PeerId[]> {
  return await Promise.all(Array.from({ length: count }, async (_, i) => {
    const seed = new Uint8Array(32);
    new DataView(seed.buffer).setUint32(0, i + 1);
    return peerIdFromPrivateKey(await generateKeyPairFromSeed("Ed25519", seed));
  }));
}
