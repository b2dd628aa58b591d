import { fromPeers } from "./from_peers.ts";
import type { Lab, LabNode } from "./lab.ts";
import { publish } from "./publish.ts";
import { untilFindable } from "./until_findable.ts";

/** Pulls on one node from upstream, then on another while there is no upstream. */
export async function pullFromPeer(
  lab: Lab,
  holder: LabNode,
  other: LabNode,
  { repository, layerBytes }: {
    readonly repository: string;
    readonly layerBytes: readonly number[];
  },
): Promise<void> {
  const { reference, image } = await publish(lab, repository, { layerBytes });
  await holder.containerd.fetch(reference);
  await untilFindable(other, image, { repository, blobsOnly: true });
  await lab.upstream.stop();
  await fromPeers(other, image, () => other.containerd.fetch(reference));
  await lab.upstream.start();
}
