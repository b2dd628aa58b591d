import { Election } from "../../lib/router/rollout/election.ts";

/** Assumptions of the model. */
const LINK_BYTES_PER_SECOND = 50e6;
/** Delay of each hop, ms: containerd writes in pieces of 1 MiB. */
const HOP_MS = 60;

/** Depth, busiest node and time of rollouts too large for one machine. */
export function formatModel(bytes: number): string {
  const lines = [
    `model: links of ${LINK_BYTES_PER_SECOND / 1e6} MB/s each way, ${HOP_MS} ms a hop, no faults`,
    "nodes  depth  busiest sends  images from upstream  slowest s",
    ...[6, 12, 50, 100, 500, 1000].map((nodes) => row(nodes, bytes)),
  ];
  return lines.join("\n");
}

function row(nodes: number, bytes: number): string {
  const election = new Election({ now: () => 0 });
  for (let node = 0; node < nodes; node++) election.decide({ key: "layer", id: `n${node}` });
  const members = election.snapshot()[0]?.members ?? [];
  const parents = new Map(members.map(({ id, parent }) => [id, parent]));
  const children = new Map<string, number>();
  for (const parent of parents.values()) {
    if (parent !== undefined) children.set(parent, (children.get(parent) ?? 0) + 1);
  }
  let depth = 0;
  let slowestMs = 0;
  for (const { id } of members) {
    let hops = 0;
    let most = 1;
    for (let at = parents.get(id); at !== undefined; at = parents.get(at)) {
      hops++;
      most = Math.max(most, children.get(at) ?? 0);
    }
    depth = Math.max(depth, hops);
    // The narrowest link of the path determines the rate: a node divides its own by its children.
    slowestMs = Math.max(slowestMs, bytes * most / LINK_BYTES_PER_SECOND * 1000 + hops * HOP_MS);
  }
  const fetching = [...parents.values()].filter((parent) => parent === undefined).length;
  return [
    String(nodes).padStart(5),
    String(depth).padStart(6),
    String(Math.max(0, ...children.values())).padStart(14),
    String(fetching).padStart(21),
    (slowestMs / 1000).toFixed(1).padStart(10),
  ].join(" ");
}
