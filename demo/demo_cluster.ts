import { createHttpClient } from "../lib/net/http_client.ts";
import { createServer } from "node:net";
import { join } from "node:path";
import { systemClock } from "../lib/async/clock.ts";
import { deadline } from "../lib/async/deadline.ts";
import { parseConfig } from "../lib/config/parse.ts";
import { createLog } from "../lib/observability/log.ts";
import { createMetrics } from "../lib/observability/metrics.ts";
import type { Digest } from "../lib/oci/digest.ts";
import type { Mirror } from "../lib/ports/mirror.ts";
import { createRegistryApp } from "../lib/registry/registry_app.ts";
import { OciLayoutStore } from "../lib/store/oci_layout/oci_layout_store.ts";
import { OciLayoutWriter } from "../lib/store/oci_layout/oci_layout_writer.ts";
import { VERSION } from "../lib/version.ts";
import { type Agent, startAgent } from "../lib/agent/start_agent.ts";
import { type HttpServer, startHttpServer } from "../lib/agent/http_server.ts";
import type { CommandIo } from "../lib/commands/io.ts";
import type { DemoImage } from "./image.ts";

const LOOPBACK = "127.0.0.1";
/** Time for the nodes to find each other, ms. */
const FORMATION_MS = 15_000;
const POLL_MS = 20;

export interface DemoNode {
  readonly name: string;
  readonly agent: Agent;
  /** Stands in for containerd: stores what was pulled. */
  readonly writer: OciLayoutWriter;
  /** Directory of the store. */
  readonly layout: string;
  /** Id of the peer that sent the content, by the agent's request log. */
  peerOf(digest: Digest, tag: string): string | undefined;
  /** Whether upstream has answered it. */
  reached(): boolean;
}

export interface DemoClusterOptions {
  readonly nodes: number;
  /**
   * Nodes agree on who fetches from upstream, and pass on what is still arriving. Default false.
   */
  readonly rollout?: boolean;
  readonly io: Pick<CommandIo, "stderr" | "signal">;
}

/** Agents, each with a directory as its store, and an upstream registry, all on loopback. */
export class DemoCluster {
  readonly nodes: readonly DemoNode[];
  readonly upstreamUrl: string;
  /** Host and port of upstream, as in the names of its images. */
  readonly registry: string;
  readonly #directory: string;
  readonly #upstream: HttpServer;

  private constructor(directory: string, upstream: HttpServer, nodes: readonly DemoNode[]) {
    this.#directory = directory;
    this.#upstream = upstream;
    this.registry = upstream.address;
    this.upstreamUrl = `http://${upstream.address}`;
    this.nodes = nodes;
  }

  static async start(options: DemoClusterOptions): Promise<DemoCluster> {
    const directory = await Deno.makeTempDir({ prefix: "eddy-demo-" });
    const nodes: DemoNode[] = [];
    try {
      const upstream = await startUpstream(join(directory, "upstream"));
      const ports = await freePorts(options.nodes * 3);
      for (let index = 0; index < options.nodes; index++) {
        nodes.push(
          await startNode(directory, index, ports, { ...options, registry: upstream.address }),
        );
      }
      const cluster = new DemoCluster(directory, upstream, nodes);
      await cluster.#formed(options.io.signal);
      return cluster;
    } catch (error) {
      await Promise.all(nodes.map(({ agent }) => agent.stop()));
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  /** Adds an image to the upstream registry. */
  async fillUpstream(name: string, image: DemoImage): Promise<void> {
    const writer = new OciLayoutWriter(join(this.#directory, "upstream"));
    for (const { content, descriptor } of image.blobs) {
      await writer.putBlob(content, descriptor.digest);
    }
    await writer.putManifest(image.manifest, name);
  }

  stopUpstream(): Promise<void> {
    return this.#upstream.shutdown(0);
  }

  /** Waits until a node's mirror finds a name that another node holds. */
  async findable(name: string, node: DemoNode, signal: AbortSignal): Promise<void> {
    if (node === this.nodes[0]) return;
    const slash = name.indexOf("/");
    const colon = name.lastIndexOf(":");
    const path = `/v2/${name.slice(slash + 1, colon)}/manifests/${name.slice(colon + 1)}`;
    const url = `${node.agent.url}${path}?ns=${name.slice(0, slash)}`;
    await until(async () => {
      using client = createHttpClient(new URL(url), undefined);
      return (await fetch(url, { method: "HEAD", client, signal })).ok;
    }, signal);
  }

  /** Waits until each node knows that it reaches upstream: only then is its absence an outage. */
  async reached(signal: AbortSignal): Promise<void> {
    await until(() => Promise.resolve(this.nodes.every((node) => node.reached())), signal);
  }

  /** Waits until each node knows all others. */
  async knowEachOther(signal: AbortSignal): Promise<void> {
    const all = this.nodes.length - 1;
    await until(async () => {
      const known = await Promise.all(this.nodes.map(async ({ agent }) => {
        const url = `${agent.metricsUrl}/metrics`;
        using client = createHttpClient(new URL(url), undefined);
        const text = await (await fetch(url, { client, signal })).text();
        return Number(/^eddy_peers (\d+)$/m.exec(text)?.[1] ?? 0);
      }));
      return known.every((peers) => peers >= all);
    }, signal);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ agent }) => agent.stop()));
    await this.stopUpstream();
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #formed(signal: AbortSignal): Promise<void> {
    await until(() => Promise.resolve(this.nodes.every(({ agent }) => agent.ready())), signal);
  }
}

async function startNode(
  directory: string,
  index: number,
  ports: readonly number[],
  { nodes, io, registry, rollout = false }: DemoClusterOptions & { readonly registry: string },
): Promise<DemoNode> {
  const name = `node ${index + 1}`;
  const layout = join(directory, `node${index + 1}`);
  const writer = new OciLayoutWriter(layout);
  await writer.init();
  if (rollout) await Deno.mkdir(join(layout, "ingest"));
  const routerPorts = ports.slice(0, nodes);
  const registryPorts = ports.slice(nodes, 2 * nodes);
  const config = parseConfig({
    command: "agent",
    args: [
      ...["--store", `oci-layout:${layout}`],
      ...["--router-addr", `${LOOPBACK}:${routerPorts[index]}`],
      ...["--registry-addr", `${LOOPBACK}:${registryPorts[index]}`],
      ...["--metrics-addr", `${LOOPBACK}:${ports[2 * nodes + index]}`],
      ...["--mirror-resolve-timeout", "1s"],
      ...["--bootstrap-kind", "static"],
      ...["--static-bootstrap-peers", ...routerPorts.map((port) => `${LOOPBACK}:${port}`)],
      // It is on loopback, where nothing is asked that the operator has not named.
      ...["--mirrored-registries", registry, "--public-images", "*"],
      ...(rollout ? ["--rollout", "--private-images", "share", "--tag-policy", "peer"] : []),
    ],
    env: {},
    readFile: () => "",
  });
  const peers = new Map<string, string>();
  let isReached = false;
  const shown = createLog({ level: "info", write: io.stderr }).child({ node: name });
  const log = createLog({
    level: "debug",
    write: (line) => {
      const { path, method, peer, level, msg, outcome } = JSON.parse(line);
      isReached ||= msg === "it is known whether a registry answers" && outcome === "reached";
      if (method === "GET" && typeof peer === "string") peers.set(identifierOf(path), peer);
      if (level === "warn" || level === "error") shown.warn(`${msg}`, JSON.parse(line));
    },
  });
  const agent = await startAgent(config, {
    log,
    signal: io.signal,
    examine: () => Promise.resolve([]),
    registryPortOf: (port) => registryPorts[routerPorts.indexOf(port)] ?? 0,
  });
  return {
    name,
    agent,
    writer,
    layout,
    reached: () => isReached,
    peerOf: (digest, tag) => peers.get(digest) ?? peers.get(tag),
  };
}

/** Digest or tag at the end of a request's path. */
function identifierOf(path: unknown): string {
  return String(path).split("?")[0]?.split("/").at(-1) ?? "";
}

/** Starts a registry with a store of its own and no peers. */
async function startUpstream(directory: string): Promise<HttpServer> {
  await new OciLayoutWriter(directory).init();
  const log = createLog({ level: "error" });
  const clock = systemClock;
  const mirror: Mirror = {
    fetch: () => Promise.resolve({ found: false, reason: "no-peer", attempts: 0 }),
  };
  let registry = "";
  const { app } = createRegistryApp({
    store: new OciLayoutStore(directory, { clock, log }),
    mirror,
    // Agents ask a registry for its own images without its name.
    tags: {
      resolve: ({ kind, reference }) =>
        Promise.resolve({ kind, reference: { ...reference, registry } }),
    },
    router: { ready: () => true },
    log,
    metrics: createMetrics({ version: VERSION }).metrics,
    clock,
  }, { filter: () => true });
  const server = startHttpServer({ fetch: app.fetch, log }, { host: LOOPBACK, port: 0 });
  registry = server.address;
  return server;
}

/** Finds free ports; all are held until the last is known, so that none comes twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject);
          server.listen(0, LOOPBACK, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function until(condition: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  using limit = deadline(FORMATION_MS, { signal });
  while (!await condition()) await systemClock.sleep(POLL_MS, { signal: limit.signal });
}
