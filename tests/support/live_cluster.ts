import assert from "node:assert/strict";
import { join } from "node:path";
import type { Agent } from "../../lib/agent/start_agent.ts";
import type { Measurement } from "../../lib/observability/debug/measure.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../../lib/oci/media_type.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { freePorts } from "./free_ports.ts";
import { startLiveAgent } from "./live_agent.ts";

const LOOPBACK = "127.0.0.1";
const LAYER = "application/vnd.oci.image.layer.v1.tar";
const FORMED_MS = 15_000;

/** An agent on loopback and the directory that is its store. */
export interface LiveNode {
  readonly agent: Agent;
  readonly writer: OciLayoutWriter;
  /** Its directory. */
  readonly layout: string;
}

/** Agents in this process, each with an OCI layout, who know each other. */
export class LiveCluster implements AsyncDisposable {
  readonly nodes: readonly LiveNode[];
  readonly #directory: string;

  private constructor(nodes: readonly LiveNode[], directory: string) {
    this.nodes = nodes;
    this.#directory = directory;
  }

  /**
   * Starts that many agents, with these flags besides, and waits until all know all.
   *
   * @param fill puts content into the store of a node before its agent starts.
   */
  static async start(
    count: number,
    flags: readonly string[] | ((index: number) => readonly string[]) = [],
    fill: (index: number, writer: OciLayoutWriter) => Promise<void> = () => Promise.resolve(),
  ): Promise<LiveCluster> {
    const directory = await Deno.makeTempDir({ prefix: "eddy-browser-" });
    const ports = await freePorts(3 * count);
    const nodes: LiveNode[] = [];
    const cluster = new LiveCluster(nodes, directory);
    try {
      for (let index = 0; index < count; index++) {
        const layout = join(directory, `node${index}`);
        const writer = new OciLayoutWriter(layout);
        await writer.init();
        await fill(index, writer);
        const own = typeof flags === "function" ? flags(index) : flags;
        const agent = await startNode(layout, index, ports, own);
        nodes.push({ agent, writer, layout });
      }
      await cluster.#until(() =>
        Promise.all(nodes.map(async ({ agent }) => {
          const { peers } = await cluster.json(agent, "/debug/api/overview");
          return agent.ready() && peers.length === count - 1;
        })).then((formed) => formed.every(Boolean))
      );
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Puts an image with layers of these sizes (bytes) into a node's store. */
  async addImage(index: number, name: string, layers: readonly number[]): Promise<void> {
    const { writer } = this.#node(index);
    const put = async (content: Uint8Array<ArrayBuffer>, mediaType: string) => {
      const digest = digestOf(content);
      await writer.putBlob(content, digest);
      return { mediaType, digest, size: content.length };
    };
    const described = [];
    for (const size of layers) described.push(await put(random(size), LAYER));
    const config = await put(
      new TextEncoder().encode(JSON.stringify({ architecture: "amd64", os: "linux", name })),
      OCI_CONFIG,
    );
    await writer.putManifest(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: described }),
      name,
    );
  }

  /** Measures an image on a node until it is found there, and then once whole. */
  async measured(index: number, image: string): Promise<Measurement> {
    let measurement: Measurement | undefined;
    await this.#until(async () => {
      measurement = await this.json(
        this.#node(index).agent,
        `/debug/api/measure?image=${encodeURIComponent(image)}`,
      );
      return measurement?.problem === undefined;
    });
    return measurement ?? assert.fail();
  }

  // deno-lint-ignore no-explicit-any
  async json(agent: Agent, path: string): Promise<any> {
    return await (await fetch(`${agent.metricsUrl}${path}`)).json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(({ agent }) => agent.stop()));
    await Deno.remove(this.#directory, { recursive: true });
  }

  #node(index: number): LiveNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`no node ${index}`);
    return node;
  }

  async #until(condition: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + FORMED_MS;
    while (!await condition()) {
      if (performance.now() > until) throw new Error(`not so within ${FORMED_MS} ms: ${condition}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function startNode(
  layout: string,
  index: number,
  ports: readonly number[],
  flags: readonly string[],
): Promise<Agent> {
  const count = ports.length / 3;
  const routers = ports.slice(0, count);
  const registries = ports.slice(count, 2 * count);
  return await startLiveAgent([
    ...["--store", `oci-layout:${layout}`],
    ...["--router-addr", `${LOOPBACK}:${routers[index]}`],
    ...["--registry-addr", `${LOOPBACK}:${registries[index]}`],
    ...["--metrics-addr", `${LOOPBACK}:${ports[2 * count + index]}`],
    ...["--mirror-resolve-timeout", "1s"],
    ...["--bootstrap-kind", "static"],
    ...["--static-bootstrap-peers", ...routers.map((port) => `${LOOPBACK}:${port}`)],
    ...flags,
  ], (port) => registries[routers.indexOf(port)] ?? 0);
}

function random(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, size)));
  }
  return bytes;
}
