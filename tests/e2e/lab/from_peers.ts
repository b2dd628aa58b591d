import assert from "node:assert/strict";
import type { Image } from "./image.ts";
import type { LabNode } from "./lab.ts";

/** Pulls on a node and checks that it then holds all of the image, and got its layers from peers. */
export async function fromPeers(
  node: LabNode,
  image: Image,
  pull: () => Promise<unknown>,
): Promise<void> {
  const before = (await node.agent.metrics()).sum("eddy_fetched_bytes_total");
  await pull();
  assert.deepEqual(await node.containerd.lacks(image), [], `what ${node.host.name} lacks`);
  const fetched = (await node.agent.metrics()).sum("eddy_fetched_bytes_total") - before;
  const layers = image.layers.reduce((sum, { size }) => sum + size, 0);
  assert.ok(fetched >= layers, `${fetched} bytes from peers, the layers have ${layers}`);
}
