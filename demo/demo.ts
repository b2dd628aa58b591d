import { formatReference } from "../lib/oci/reference.ts";
import type { CommandIo } from "../lib/commands/io.ts";
import { DemoCluster, type DemoNode } from "./demo_cluster.ts";
import { generateImage } from "./image.ts";
import { rolloutDemo } from "./rollout_demo.ts";
import { Progress } from "./progress.ts";
import { type PulledContent, pullImage } from "./puller.ts";
import { formatBytes, renderTable } from "./table.ts";

const IMAGE = { repository: "eddy/demo", tag: "1.0" };
/** Sizes of the layers, MiB: as uneven as those of real images. */
const LAYERS = [1, 2, 4, 8, 16, 24, 40];
const NODES = 3;

interface Row {
  readonly node: string;
  readonly what: string;
  readonly from: string;
  readonly bytes: number;
  readonly durationMs: number;
}

export interface DemoOptions {
  /** Six nodes pull at once instead of three one after the other. */
  readonly rollout: boolean;
  /** The three nodes keep running until the signal aborts. */
  readonly keep: boolean;
}

/**
 * Runs three agents on this machine's loopback: the first pulls an image from a small upstream
 * registry, which is then shut down, and the others pull from their peers. Or shows a rollout.
 */
export async function runDemo(options: DemoOptions, io: CommandIo): Promise<void> {
  if (options.rollout) return await rolloutDemo(io);
  io.stdout("Eddy demo: three nodes, one upstream registry, no network beyond this machine.\n\n");
  const cluster = await DemoCluster.start({ nodes: NODES, io });
  try {
    const image = generateImage(LAYERS);
    const name = formatReference({ ...IMAGE, registry: cluster.registry });
    await cluster.fillUpstream(name, image);
    const total = image.blobs.reduce((sum, { descriptor }) => sum + descriptor.size, 0) +
      image.manifest.length;
    io.stdout(`Image ${name}: ${LAYERS.length} layers, ${formatBytes(total)}.\n`);
    const rows: Row[] = [];
    for (const [index, node] of cluster.nodes.entries()) {
      if (index === 1) {
        await cluster.reached(io.signal);
        await cluster.stopUpstream();
        io.stdout("Upstream is shut down: the next pulls come from peers.\n");
      }
      await cluster.findable(name, node, io.signal);
      rows.push(...await pullOn(cluster, node, total, io));
    }
    io.stdout(`\n${report(rows)}\n\n`);
    io.stdout("Every byte that nodes 2 and 3 got came from peers, by tag, with upstream off.\n");
    if (options.keep) await keepRunning(cluster, io);
    else io.stdout("To explore, `deno task demo --keep` keeps the nodes running.\n");
  } finally {
    await cluster.stop();
  }
}

async function pullOn(
  cluster: DemoCluster,
  node: DemoNode,
  total: number,
  io: CommandIo,
): Promise<Row[]> {
  const progress = new Progress(io, node.name, total);
  const pulled = await pullImage({
    ...IMAGE,
    registry: cluster.registry,
    mirror: node.agent.url,
    upstream: cluster.upstreamUrl,
    target: {
      putBlob: async (digest, content) => void await node.writer.putBlob(content, digest),
      putManifest: async (name, _digest, content) =>
        void await node.writer.putManifest(content, name),
    },
    onBytes: (bytes) => progress.add(bytes),
  }, { signal: io.signal });
  progress.end();
  return pulled.map((content, index) => ({
    node: node.name,
    what: index === 0 ? "manifest" : index === 1 ? "config" : `layer ${index - 1}`,
    from: sourceOf(cluster, node, content),
    bytes: content.descriptor.size,
    durationMs: content.durationMs,
  }));
}

function sourceOf(cluster: DemoCluster, node: DemoNode, content: PulledContent): string {
  if (content.from === "upstream") return "upstream";
  const peer = node.peerOf(content.descriptor.digest, IMAGE.tag);
  const name = cluster.nodes.find(({ agent }) => agent.id === peer)?.name;
  if (name === undefined) {
    throw new Error(`${node.name} did not say which peer sent ${content.descriptor.digest}`);
  }
  return name;
}

function report(rows: readonly Row[]): string {
  const right = ["bytes", "time", "MB/s"];
  return renderTable(
    ["node", "content", "from", ...right],
    rows.map(({ node, what, from, bytes, durationMs }) => [
      node,
      what,
      from,
      formatBytes(bytes),
      `${durationMs.toFixed(0)} ms`,
      bytes < 100_000 ? "" : (bytes / 1000 / durationMs).toFixed(0),
    ]),
    right,
  );
}

async function keepRunning(cluster: DemoCluster, io: CommandIo): Promise<void> {
  const { repository, tag } = IMAGE;
  io.stdout("\nLeft running until Ctrl-C:\n");
  for (const { name, agent } of cluster.nodes) {
    io.stdout(`  ${name}  registry ${agent.url}  pages ${agent.metricsUrl}/debug/\n`);
  }
  const url = `${
    cluster.nodes.at(-1)?.agent.url
  }/v2/${repository}/manifests/${tag}?ns=${cluster.registry}`;
  io.stdout(`Try: curl -i '${url}'\n`);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    else io.signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
