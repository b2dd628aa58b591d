import { systemClock } from "../lib/async/clock.ts";
import { RateLimiter } from "../lib/async/rate_limiter.ts";
import { formatReference } from "../lib/oci/reference.ts";
import type { CommandIo } from "../lib/commands/io.ts";
import { ArrivingBlob } from "./arriving_blob.ts";
import { DemoCluster, type DemoNode } from "./demo_cluster.ts";
import { generateImage } from "./image.ts";
import { ProgressBoard } from "./progress_board.ts";
import { type PulledContent, pullImage } from "./puller.ts";
import { formatBytes, renderTable } from "./table.ts";

const IMAGE = { repository: "eddy/demo", tag: "2.0" };
/** Sizes of the layers, MiB. */
const LAYERS = [16, 16, 16];
const NODES = 6;
/** Upstream's rate for all nodes together, as on a shared line. */
const UPSTREAM_BYTES_PER_SECOND = 16_000_000;

interface Pull {
  readonly node: DemoNode;
  readonly contents: readonly PulledContent[];
  readonly durationMs: number;
}

/** Six nodes pull an image at once that none of them has, over one line to upstream. */
export async function rolloutDemo(io: CommandIo): Promise<void> {
  io.stdout(`Eddy demo: a rollout on ${NODES} nodes at once; none of them has the image.\n\n`);
  const options = { nodes: NODES, io, rollout: true };
  const cluster = await DemoCluster.start(options);
  try {
    const image = generateImage(LAYERS);
    await cluster.fillUpstream(formatReference({ ...IMAGE, registry: cluster.registry }), image);
    await cluster.knowEachOther(io.signal);
    const total = image.blobs.reduce((sum, { descriptor }) => sum + descriptor.size, 0) +
      image.manifest.length;
    const rate = formatBytes(UPSTREAM_BYTES_PER_SECOND);
    io.stdout(`Image of ${formatBytes(total)}; all share a line of ${rate}/s to upstream.\n\n`);
    const board = new ProgressBoard(io, cluster.nodes.map(({ name }) => name), total);
    const upstream = new RateLimiter(systemClock, UPSTREAM_BYTES_PER_SECOND);
    const pulls = await Promise.all(
      cluster.nodes.map((node, index) =>
        pullOn(cluster, node, { upstream, io, onBytes: (bytes) => board.add(index, bytes) })
      ),
    );
    board.end();
    io.stdout(`\n${report(cluster, pulls)}\n\n`);
    const sent = pulls.reduce((sum, pull) => sum + bytesFrom(pull, "upstream"), 0);
    io.stdout(`Upstream sent ${(sent / total).toFixed(2)} images, not ${NODES}.\n`);
  } finally {
    await cluster.stop();
  }
}

async function pullOn(
  cluster: DemoCluster,
  node: DemoNode,
  { upstream, io, onBytes }: {
    readonly upstream: RateLimiter;
    readonly io: CommandIo;
    readonly onBytes: (bytes: number) => void;
  },
): Promise<Pull> {
  const began = performance.now();
  const contents = await pullImage({
    ...IMAGE,
    registry: cluster.registry,
    mirror: node.agent.url,
    upstream: cluster.upstreamUrl,
    target: {
      begin: (descriptor) => ArrivingBlob.begin(node.layout, descriptor),
      putBlob: async (digest, content) => void await node.writer.putBlob(content, digest),
      putManifest: async (name, _digest, content) =>
        void await node.writer.putManifest(content, name),
    },
    onBytes,
    fromUpstream: async (bytes) => await upstream.take(node.name, bytes, io.signal),
  }, { signal: io.signal });
  return { node, contents, durationMs: performance.now() - began };
}

function bytesFrom({ contents }: Pull, from: PulledContent["from"]): number {
  return contents.filter((content) => content.from === from)
    .reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

function report(cluster: DemoCluster, pulls: readonly Pull[]): string {
  const layers = LAYERS.map((_, index) => `layer ${index + 1} from`);
  return renderTable(
    ["node", "upstream", "peers", "time", ...layers],
    pulls.map((pull) => [
      pull.node.name,
      formatBytes(bytesFrom(pull, "upstream")),
      formatBytes(bytesFrom(pull, "mirror")),
      `${pull.durationMs.toFixed(0)} ms`,
      ...pull.contents.slice(-LAYERS.length).map(({ from, descriptor: { digest } }) => {
        if (from === "upstream") return from;
        const peer = pull.node.peerOf(digest, IMAGE.tag);
        return cluster.nodes.find(({ agent }) => agent.id === peer)?.name ?? "a peer";
      }),
    ]),
    ["upstream", "peers", "time"],
  );
}
