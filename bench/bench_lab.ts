import { Containerd } from "../tests/e2e/lab/containerd.ts";
import { containerdReleases } from "../tests/e2e/lab/containerd_release.ts";
import { createImage, type Image } from "../tests/e2e/lab/image.ts";
import { type Host, LAB_PREFIX, Network } from "../tests/e2e/lab/network.ts";
import { removeStaleLabs } from "../tests/e2e/lab/remove_stale_labs.ts";
import { until } from "../tests/e2e/lab/until.ts";
import { UPSTREAM, Upstream } from "../tests/e2e/lab/upstream.ts";
import { AgentProcess } from "./agent_process.ts";
import { NodeStore } from "./store.ts";
import { NODES, type System } from "./system.ts";

/** Holders of all images; the first is the peer in the measurements. */
const HOLDERS = ["n1", "n3", "n4"];
/** Holds none of the measured images and gets everything through its agent. */
const PULLER = "n2";

/** A machine of the benchmark. */
export interface BenchNode {
  readonly host: Host;
  readonly containerd: Containerd;
  readonly store: NodeStore;
}

/** An image that upstream and all holders have. */
export interface BenchImage {
  readonly reference: string;
  readonly image: Image;
}

/** Three nodes with all images, one without any, and an upstream registry, all real. */
export class BenchLab implements AsyncDisposable {
  readonly network: Network;
  readonly upstream: Upstream;
  readonly holders: readonly BenchNode[];
  readonly puller: BenchNode;
  readonly images = new Map<string, BenchImage>();
  readonly directory: string;
  /** Notes to be printed with the figures. */
  readonly notes: string[] = [];
  readonly #agents = new Map<string, AgentProcess>();

  private constructor(network: Network, directory: string) {
    this.network = network;
    this.directory = directory;
    this.upstream = new Upstream(network.host("up"), `${directory}/up`);
    this.holders = HOLDERS.map((name) => this.#node(name));
    this.puller = this.#node(PULLER);
  }

  /** Starts everything except the agents. */
  static async create(): Promise<BenchLab> {
    const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
    await removeStaleLabs(temporary);
    const nodes = [...HOLDERS, PULLER];
    const network = await Network.create({
      id: "bench",
      hosts: ["up", ...nodes],
      names: { [UPSTREAM.replace(/:.*/, "")]: ["up"], [NODES]: nodes },
      rate: undefined,
    });
    const lab = new BenchLab(network, `${temporary}/${LAB_PREFIX}-${Deno.pid}-bench`);
    try {
      await lab.upstream.start();
      await Promise.all(lab.#nodes.map(({ containerd }) => containerd.start()));
      await lab.#addFirstImage();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Makes an image with layers of these sizes and adds it to upstream and all holders. */
  async add(name: string, layerBytes: readonly number[]): Promise<BenchImage> {
    const image = createImage({ seed: name, layerBytes, plain: true });
    await this.upstream.add(image, name, "v1");
    const added = { reference: `${UPSTREAM}/${name}@${image.root.digest}`, image };
    for (const { store } of this.holders) {
      await store.mirrorAt(undefined);
      await store.pull(added.reference);
    }
    this.images.set(name, added);
    return added;
  }

  /**
   * Starts a system's agents on the given holders and the puller, unless they run, and waits until
   * the puller's agent finds all content.
   */
  async start(system: System, holders: readonly BenchNode[] = [this.holder]): Promise<void> {
    const missing = [...holders, this.puller].filter((node) =>
      !this.#agents.has(key(system, node))
    );
    await Promise.all(missing.map((node) => this.startOn(system, node)));
    for (const [name, { image }] of this.images) {
      for (const { digest } of image.layers) {
        const path = blob(name, digest);
        await until(async () => await this.agent(system, this.puller).status(path) === 200, {
          what: `${system.name} to find ${name}`,
          timeoutMs: 60_000,
        });
      }
    }
  }

  /** Starts one agent. Returns the time until it was ready, ms. */
  async startOn(system: System, node: BenchNode): Promise<number> {
    const own = `${this.directory}/${node.host.name}-${system.name}`;
    await Deno.mkdir(own, { recursive: true });
    const args = system.arguments(node.containerd, own);
    const agent = AgentProcess.start(system, node.host, args, `${own}/log`);
    this.#agents.set(key(system, node), agent);
    return await agent.ready();
  }

  /** Kills one agent. */
  async stopOn(system: System, node: BenchNode): Promise<void> {
    await this.agent(system, node)[Symbol.asyncDispose]();
    this.#agents.delete(key(system, node));
  }

  agent(system: System, node: BenchNode): AgentProcess {
    const agent = this.#agents.get(key(system, node));
    if (agent === undefined) throw new Error(`${key(system, node)} does not run`);
    return agent;
  }

  /** The last lines of all agents' logs. */
  async tails(): Promise<string> {
    return (await Promise.all([...this.#agents.values()].map((agent) => agent.tail()))).join("\n");
  }

  /** Adds a note, once. */
  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  /** Number of blob requests that upstream has answered so far. */
  async blobsOfUpstream(): Promise<number> {
    return (await this.upstream.requests()).filter(({ method, path }) =>
      method === "GET" && path.includes("/blobs/")
    ).length;
  }

  /** The holder that is the peer in the measurements. */
  get holder(): BenchNode {
    const [first] = this.holders;
    if (first === undefined) throw new Error("the bench has no holder");
    return first;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents.values()) await agent[Symbol.asyncDispose]();
    for (const { containerd } of this.#nodes) await containerd[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true }).catch(() => {});
  }

  /**
   * Every real node holds at least its pods' sandbox image. containerd 2 creates its content
   * directory with the first blob; before that an agent must ask containerd about each digest.
   */
  async #addFirstImage(): Promise<void> {
    const image = createImage({ seed: "first", layerBytes: [1], plain: true });
    await this.upstream.add(image, "first", "v1");
    for (const { store } of this.#nodes) {
      await store.mirrorAt(undefined);
      await store.pull(`${UPSTREAM}/first@${image.root.digest}`);
    }
  }

  get #nodes(): BenchNode[] {
    return [...this.holders, this.puller];
  }

  #node(name: string): BenchNode {
    const release = containerdReleases().current;
    const host = this.network.host(name);
    const containerd = new Containerd({ host, release, directory: `${this.directory}/${name}` });
    return { host, containerd, store: new NodeStore(host, containerd, release.directory) };
  }
}

/** Path of an image's blob, as containerd requests it from a mirror. */
export function blob(name: string, digest: string): string {
  return `/v2/${name}/blobs/${digest}?ns=${UPSTREAM}`;
}

/** Path of a manifest. */
export function manifest(name: string, reference: string): string {
  return `/v2/${name}/manifests/${reference}?ns=${UPSTREAM}`;
}

function key(system: System, node: BenchNode): string {
  return `${system.name} on ${node.host.name}`;
}
