import type { ImageOptions } from "../../e2e/lab/image.ts";
import { containerdReleases } from "../../e2e/lab/containerd_release.ts";
import { LAB_PREFIX, Network, onHost } from "../../e2e/lab/network.ts";
import { publish, type Published } from "../../e2e/lab/publish.ts";
import { removeStaleLabs } from "../../e2e/lab/remove_stale_labs.ts";
import {
  type CommandResult,
  runCommand,
  type RunCommandOptions,
} from "../../e2e/lab/run_command.ts";
import { until } from "../../e2e/lab/until.ts";
import { UPSTREAM, Upstream } from "../../e2e/lab/upstream.ts";
import { removeCgroup, removeStaleCgroups } from "./cgroups.ts";
import { ControlPlane } from "./control_plane.ts";
import { EddyRelease } from "./eddy_release.ts";
import { ClusterNode } from "./node.ts";
import { podSubnet, SANDBOX_IMAGE, SERVICES, writeNodeFiles } from "./node_files.ts";
import { Pods } from "./pods.ts";
import type { ClusterPrograms } from "./programs.ts";

/** Names of the nodes. */
const NODES = ["n1", "n2", "n3"] as const;
/** Name of the upstream registry's host. */
const UPSTREAM_HOST = UPSTREAM.replace(/:.*/, "");

/** Settings of {@link KubernetesCluster.create}. */
export interface ClusterOptions {
  /** Further settings of every kubelet. */
  readonly kubelet?: Readonly<Record<string, unknown>>;
  /** Whether the cluster's DNS may be 30 s behind. Default false. */
  readonly cachesDns?: boolean;
}

/** A whole Kubernetes cluster of three nodes with an upstream registry, on hosts of a lab. */
export class KubernetesCluster implements AsyncDisposable {
  readonly network: Network;
  readonly upstream: Upstream;
  readonly control: ControlPlane;
  readonly nodes: readonly ClusterNode[];
  readonly pods: Pods;
  /** Eddy, as its chart installs it. */
  readonly eddy: EddyRelease;
  readonly #directory: string;
  readonly #cgroup: string;
  readonly #programs: ClusterPrograms;
  readonly #options: ClusterOptions;

  private constructor(network: Network, programs: ClusterPrograms, options: ClusterOptions) {
    this.#cgroup = `${LAB_PREFIX}-${Deno.pid}-cluster`;
    this.#directory = `${temporaryDirectory()}/${this.#cgroup}`;
    this.#programs = programs;
    this.#options = options;
    this.network = network;
    const up = network.host("up");
    this.upstream = new Upstream(up, `${this.#directory}/up`, { authenticated: true });
    this.control = new ControlPlane({
      host: network.host("control"),
      directory: `${this.#directory}/control`,
      programs,
      nodes: NODES,
      names: { [UPSTREAM_HOST]: up.address },
      cachesDns: options.cachesDns === true,
    });
    this.nodes = NODES.map((name) =>
      new ClusterNode({
        host: network.host(name),
        directory: `${this.#directory}/${name}`,
        cgroup: `${this.#cgroup}/${name}`,
        containerdDirectory: containerdReleases().current.directory,
        programs,
      })
    );
    this.pods = new Pods(this);
    this.eddy = new EddyRelease(this);
  }

  /** Starts everything and waits until all nodes are ready. */
  static async create(
    programs: ClusterPrograms,
    options: ClusterOptions = {},
  ): Promise<KubernetesCluster> {
    await removeStaleLabs(temporaryDirectory());
    await removeStaleCgroups();
    const network = await Network.create({
      id: "kube",
      hosts: ["control", "up", ...NODES],
      names: { [UPSTREAM_HOST]: ["up"] },
      rate: undefined,
    });
    const cluster = new KubernetesCluster(network, programs, options);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      const tails = await cluster.tails();
      await cluster[Symbol.asyncDispose]();
      throw new Error(`the cluster did not start: ${String(error)}\n${tails}`);
    }
  }

  /** @throws {Error} if there is no such node; they count from 1. */
  node(number: number): ClusterNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new Error(`the cluster has no node n${number}`);
    return node;
  }

  /** Runs kubectl as the administrator. */
  async kubectl(argv: readonly string[], options: RunCommandOptions = {}): Promise<CommandResult> {
    const program = [this.#programs.kubectl, `--kubeconfig=${this.control.api.kubeconfig}`];
    const argvOnHost = onHost(this.network.host("control"), [...program, ...argv]);
    return await runCommand(argvOnHost, { timeoutMs: 60_000, ...options });
  }

  /**
   * Makes an image that pods can run, and puts it into upstream's storage.
   *
   * @param name a repository, with a tag if it should not be `v1`; those that do not begin with
   * `open/` need a pull secret.
   */
  async publish(name: string, options: Partial<ImageOptions> = {}): Promise<Published> {
    const program = await Deno.readFile(this.#programs.pause);
    return await publish(this, name, { layerBytes: [4_000_000], program, ...options });
  }

  /**
   * Ends a node and begins it anew, with nothing on its disk; resolves when it is ready.
   *
   * @param kubelet further settings of its kubelet.
   */
  async replace(node: ClusterNode, kubelet: ClusterOptions["kubelet"] = {}): Promise<void> {
    await node[Symbol.asyncDispose]();
    await runCommand(["rm", "-rf", `${this.#directory}/${node.name}`]);
    // What pods and services had in its network.
    const tables = ["nat", "filter", "mangle"].map((table) => `*${table}\nCOMMIT\n`).join("");
    await runCommand(
      onHost(node.host, ["sh", "-c", 'printf "$0" | iptables-restore; ip link del cni0', tables]),
    );
    await this.#writeFiles(node, kubelet);
    await node.start();
    await this.#join(node);
  }

  /** Waits until a node is or is not ready, as the API server says. */
  async untilReady(node: ClusterNode, ready = true): Promise<void> {
    await until(async () => {
      const { body } = await this.control.api.do("GET", `/api/v1/nodes/${node.name}`);
      const conditions: { type: string; status: string }[] = body.status.conditions ?? [];
      const status = conditions.find(({ type }) => type === "Ready")?.status;
      return (status === "True") === ready;
    }, { what: `${node.name} to be ${ready ? "ready" : "not ready"}`, timeoutMs: 60_000 });
  }

  /** The last lines of all logs. */
  async tails(): Promise<string> {
    const nodes = await Promise.all(this.nodes.map((node) => node.tail()));
    const parts = [await this.control.tail(), await this.upstream.tail(), ...nodes];
    return [...parts, await this.eddy.tail()].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    await this.control[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await removeCgroup(this.#cgroup);
    // Some gigabytes in many files: a busy disk takes its time.
    await runCommand(["rm", "-rf", this.#directory], { allowFailure: true, timeoutMs: 180_000 });
  }

  async #start(): Promise<void> {
    await Deno.mkdir(`${this.#directory}/control`, { recursive: true });
    await this.#connect();
    await Promise.all([
      this.control.start(),
      this.#startUpstream(),
      ...this.nodes.map(async (node) => {
        await this.#writeFiles(node, this.#options.kubelet);
        await node.start();
      }),
    ]);
    await Promise.all(this.nodes.map((node) => this.#join(node)));
  }

  async #startUpstream(): Promise<void> {
    const [, repository = "", tag = ""] = /^[^/]+\/(.+):(.+)$/.exec(SANDBOX_IMAGE) ?? [];
    await this.publish(`${repository}:${tag}`, { layerBytes: [] });
    await this.upstream.start();
  }

  /** Leads hosts to the pods of each node, and to services, whose addresses are nobody's. */
  async #connect(): Promise<void> {
    const hosts = ["control", "up", ...NODES].map((name) => this.network.host(name));
    for (const { namespace, name } of hosts) {
      const route = ["ip", "-n", namespace, "route", "add"];
      await runCommand([...route, SERVICES, "dev", "eth0"]);
      for (const [index, node] of this.nodes.entries()) {
        if (node.name === name) continue;
        await runCommand([...route, podSubnet(index + 1), "via", node.host.address]);
      }
    }
  }

  async #writeFiles(node: ClusterNode, kubelet: ClusterOptions["kubelet"] = {}): Promise<void> {
    await writeNodeFiles({
      directory: `${this.#directory}/${node.name}`,
      name: node.name,
      number: this.nodes.indexOf(node) + 1,
      cgroup: node.cgroup,
      nameserver: this.network.host("control").address,
      hosts: `127.0.0.1 localhost\n${this.network.host("up").address} ${UPSTREAM_HOST}\n`,
      kubelet,
    });
  }

  async #join(node: ClusterNode): Promise<void> {
    await node.cri.pull(SANDBOX_IMAGE);
    await this.#giveAccess(node);
    node.startProxy();
    node.startKubelet();
    await this.untilReady(node);
  }

  /** Writes the kubeconfigs of a node: the API server signs its certificate when it starts. */
  async #giveAccess({ name }: ClusterNode): Promise<void> {
    for (const [file, token] of [["kubelet", name], ["proxy", "proxy"]] as const) {
      const text = await this.control.api.kubeconfigOf(token);
      await Deno.writeTextFile(`${this.#directory}/${name}/${file}.kubeconfig`, text);
    }
  }
}

function temporaryDirectory(): string {
  return Deno.env.get("TMPDIR") ?? "/tmp";
}
