import { Containerd } from "../../tests/e2e/lab/containerd.ts";
import { containerdReleases } from "../../tests/e2e/lab/containerd_release.ts";
import { createImage, type Image } from "../../tests/e2e/lab/image.ts";
import { LAB_PREFIX, Network } from "../../tests/e2e/lab/network.ts";
import { readMetrics } from "../../tests/e2e/lab/read_metrics.ts";
import { removeStaleLabs } from "../../tests/e2e/lab/remove_stale_labs.ts";
import { until } from "../../tests/e2e/lab/until.ts";
import { UPSTREAM, Upstream } from "../../tests/e2e/lab/upstream.ts";
import { AgentProcess } from "../agent_process.ts";
import type { BenchNode } from "../bench_lab.ts";
import { NodeStore } from "../store.ts";
import { NODES, type System } from "../system.ts";

/** Uplink limit of each machine; downlinks are unlimited. */
export const RATE = "400mbit";

/** Empty nodes and an upstream registry on links of {@link RATE}. */
export class RolloutLab implements AsyncDisposable {
  readonly network: Network;
  readonly upstream: Upstream;
  readonly nodes: readonly BenchNode[];
  readonly directory: string;
  #agents: AgentProcess[] = [];

  private constructor(network: Network, directory: string, names: readonly string[]) {
    const release = containerdReleases().current;
    this.network = network;
    this.directory = directory;
    this.upstream = new Upstream(network.host("up"), `${directory}/up`);
    this.nodes = names.map((name) => {
      const host = network.host(name);
      const containerd = new Containerd({ host, release, directory: `${directory}/${name}` });
      return { host, containerd, store: new NodeStore(host, containerd, release.directory) };
    });
  }

  /** Starts upstream and `count` containerds. */
  static async create(count: number): Promise<RolloutLab> {
    const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
    await removeStaleLabs(temporary);
    const names = Array.from({ length: count }, (_, index) => `n${index + 1}`);
    const network = await Network.create({
      id: "rollout",
      hosts: ["up", ...names],
      names: { [UPSTREAM.replace(/:.*/, "")]: ["up"], [NODES]: names },
      rate: RATE,
    });
    const directory = `${temporary}/${LAB_PREFIX}-${Deno.pid}-rollout`;
    const lab = new RolloutLab(network, directory, names);
    try {
      await lab.upstream.start();
      await Promise.all(lab.nodes.map(async ({ containerd, store }) => {
        await containerd.start();
        await store.mirrorAt(undefined);
      }));
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Adds an image to upstream. */
  async add(name: string, layerBytes: readonly number[]): Promise<[string, Image]> {
    const image = createImage({ seed: name, layerBytes, plain: true });
    await this.upstream.add(image, name, "v1");
    return [`${UPSTREAM}/${name}@${image.root.digest}`, image];
  }

  /** Starts a system's agents on some nodes and waits until they know each other. */
  async startAgents(system: System, nodes: readonly BenchNode[]): Promise<void> {
    for (const node of nodes) {
      const own = `${this.directory}/${node.host.name}-${system.name}`;
      await Deno.mkdir(own, { recursive: true });
      await node.store.mirrorAt(system.name === "spegel" ? system.ports.registry : undefined);
      const args = system.arguments(node.containerd, own);
      this.#agents.push(AgentProcess.start(system, node.host, args, `${own}/log`));
    }
    await Promise.all(this.#agents.map((agent) => agent.ready()));
    if (system.name === "spegel") return await new Promise((done) => setTimeout(done, 5000));
    for (const { host } of nodes) {
      await until(async () => {
        const metrics = await readMetrics(host, system.ports.metrics);
        return metrics.sum("eddy_peers") >= nodes.length - 1;
      }, { what: `the agent on ${host.name} to know all others`, timeoutMs: 60_000 });
    }
  }

  /** Stops all agents, after which pulls go to upstream. */
  async stopAgents(): Promise<void> {
    for (const agent of this.#agents) await agent[Symbol.asyncDispose]();
    this.#agents = [];
    for (const { store } of this.nodes) await store.mirrorAt(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents) await agent[Symbol.asyncDispose]();
    for (const { containerd } of this.nodes) await containerd[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true }).catch(() => {});
  }
}
