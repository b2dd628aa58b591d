import { Containerd } from "../../e2e/lab/containerd.ts";
import { containerdReleases } from "../../e2e/lab/containerd_release.ts";
import { createImage } from "../../e2e/lab/image.ts";
import { USER_HOSTS_TOML } from "../../e2e/lab/lab.ts";
import { LAB_PREFIX, Network } from "../../e2e/lab/network.ts";
import { removeStaleLabs } from "../../e2e/lab/remove_stale_labs.ts";
import { UPSTREAM, Upstream } from "../../e2e/lab/upstream.ts";
import { EDDY, GO, spegel, spegelBinary } from "./kinds.ts";
import { InteropNode, type NodeKind } from "./node.ts";
import { type NamedImage, writeLayout } from "../../e2e/lab/write_layout.ts";

const LAYERS = [200_000, 1_500_000];

/** Whose node it is: `eddy`, or `other`: the Go node, or a real Spegel. */
export type Side = "eddy" | "other";

/** Nodes of both implementations on one network. Each holds one image of its own. */
export class InteropLab implements AsyncDisposable {
  readonly network: Network;
  readonly directory: string;
  readonly nodes: readonly InteropNode[];
  readonly #images = new Map<InteropNode, NamedImage>();
  readonly #extra: AsyncDisposable[] = [];
  /** Where a real Spegel's images are, by the name of the host. */
  readonly #containerds = new Map<string, Containerd>();

  private constructor(network: Network, directory: string, sides: readonly Side[]) {
    this.network = network;
    this.directory = directory;
    const binary = spegelBinary();
    this.nodes = sides.map((side, index) => {
      const host = network.host(`n${index + 1}`);
      return new InteropNode(
        side === "eddy" ? EDDY : binary === undefined ? GO : this.#spegel(binary, host.name),
        host,
        `${directory}/${host.name}`,
      );
    });
  }

  /** Makes hosts n1, n2, …, and what each node holds; no node is started. */
  static async create(id: string, sides: readonly Side[]): Promise<InteropLab> {
    const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
    await removeStaleLabs(temporary);
    const hosts = sides.map((_, index) => `n${index + 1}`);
    const names: Record<string, string[]> = { "all.test": hosts, "registry.test": ["up"] };
    for (const host of hosts) names[`${host}.test`] = [host];
    const network = await Network.create({ id, hosts: ["up", ...hosts], names, rate: "400mbit" });
    const lab = new InteropLab(network, `${temporary}/${LAB_PREFIX}-${Deno.pid}-${id}`, sides);
    try {
      await lab.#fill();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @throws {Error} if there is no such node; they count from 1. */
  node(number: number): InteropNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new Error(`the lab has no node n${number}`);
    return node;
  }

  /** The image that a node holds from the start. */
  imageOf(node: InteropNode): NamedImage {
    const image = this.#images.get(node);
    if (image === undefined) throw new Error(`${node.host.name} holds nothing`);
    return image;
  }

  /** Ends a process with the lab. */
  addProcess(process: AsyncDisposable): void {
    this.#extra.push(process);
  }

  /** Ends all nodes. */
  async stopAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** The last lines of all logs. */
  async tails(): Promise<string> {
    return (await Promise.all(this.nodes.map((node) => node.tail()))).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of [...this.nodes, ...this.#extra, this.network]) {
      await part[Symbol.asyncDispose]();
    }
    await Deno.remove(this.directory, { recursive: true }).catch(() => {});
  }

  #spegel(binary: string, name: string): NodeKind {
    return spegel(binary, this.#containerd(name));
  }

  #containerd(name: string): Containerd {
    const containerd = new Containerd({
      host: this.network.host(name),
      release: containerdReleases().current,
      directory: `${this.directory}/${name}/containerd`,
    });
    this.#extra.push(containerd);
    this.#containerds.set(name, containerd);
    return containerd;
  }

  async #fill(): Promise<void> {
    const upstream = new Upstream(this.network.host("up"), `${this.directory}/up`);
    for (const [index, node] of this.nodes.entries()) {
      const repository = `of/n${index + 1}`;
      const image = createImage({ seed: repository, layerBytes: LAYERS, index: index % 2 === 0 });
      const named = { name: `${UPSTREAM}/${repository}:v1`, image };
      this.#images.set(node, named);
      const containerd = this.#containerds.get(node.host.name);
      if (containerd === undefined) {
        await writeLayout(`${this.directory}/${node.host.name}/layout`, [named]);
      } else {
        await upstream.add(image, repository, "v1");
        await upstream.start();
        await Deno.mkdir(`${containerd.certsPath}/${UPSTREAM}`, { recursive: true });
        await Deno.writeTextFile(`${containerd.certsPath}/${UPSTREAM}/hosts.toml`, USER_HOSTS_TOML);
        await containerd.start();
        await containerd.fetch(named.name);
      }
    }
    await upstream[Symbol.asyncDispose]();
  }
}
