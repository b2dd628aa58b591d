import { Agent } from "./agent.ts";
import { Containerd, type ContainerdDeviations } from "./containerd.ts";
import type { ContainerdRelease } from "./containerd_release.ts";
import { type Host, LAB_PREFIX, Network } from "./network.ts";
import { removeStaleLabs } from "./remove_stale_labs.ts";
import { until } from "./until.ts";
import { UPSTREAM, Upstream } from "./upstream.ts";

/** What each host may send unless a test says otherwise: slow enough to break things half-way. */
export const RATE = "400mbit";
/** The user's own configuration of the upstream, which Eddy has to keep: it speaks plain HTTP. */
export const USER_HOSTS_TOML = `# Written by hand.
server = "http://${UPSTREAM}"

[host."http://${UPSTREAM}"]
  capabilities = ["pull", "resolve"] # the origin
`;

/** A machine with containerd and the agent. */
export interface LabNode {
  readonly host: Host;
  readonly containerd: Containerd;
  readonly agent: Agent;
}

/** Settings of {@link Lab.create}. */
export interface LabOptions {
  /** Unique among the labs of this process; at most 8 characters. */
  id: string;
  /** The containerd of each node; the nodes are called n1, n2, … */
  releases: readonly ContainerdRelease[];
  /** Further hosts, which only have a network and names; they are peers by name. */
  hosts?: readonly string[];
  /** Flags of every agent, or those of the node with this name, besides those that the lab needs. */
  flags?: readonly string[] | ((name: string) => readonly string[]);
  /** Environment variables of every agent, and of Eddy's other commands. */
  environment?: Readonly<Record<string, string>>;
  /** How the nodes' containerds differ from good ones at first. */
  deviations?: ContainerdDeviations;
  /** Upstream wants a token, which all get for repositories below `open/`. Default false. */
  authenticated?: boolean;
  /** Hosts without containerd and agent besides the nodes. */
  strangers?: readonly string[];
  /** Leaves it to the test to start agents. Default false. */
  withoutAgents?: boolean;
  /** Whether the nodes' containerds are to run containers. Default false. */
  runsContainers?: boolean;
}

/** Nodes and an upstream on one network, all real. */
export class Lab implements AsyncDisposable {
  /** For what the lab keeps in files. */
  readonly directory: string;
  readonly network: Network;
  readonly upstream: Upstream;
  readonly nodes: readonly LabNode[];

  private constructor(options: LabOptions, network: Network, directory: string) {
    this.directory = directory;
    this.network = network;
    this.upstream = new Upstream(network.host("up"), `${directory}/up`, options);
    this.nodes = options.releases.map((release, index) => {
      const host = network.host(`n${index + 1}`);
      const own = `${directory}/${host.name}`;
      const containerd = new Containerd({
        ...{ host, release, directory: own },
        runsContainers: options.runsContainers === true,
      });
      const { flags: given = [], environment = {} } = options;
      const flags = typeof given === "function" ? given(host.name) : given;
      const agent = new Agent({ host, containerd, directory: own, flags, environment });
      return { host, containerd, agent };
    });
  }

  /** Starts everything and waits until it is ready. */
  static async create(options: LabOptions): Promise<Lab> {
    const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
    await removeStaleLabs(temporary);
    const names = options.releases.map((_, index) => `n${index + 1}`);
    const peers = [...names, ...options.hosts ?? []];
    const network = await Network.create({
      id: options.id,
      hosts: ["up", ...peers, ...options.strangers ?? []],
      names: { [UPSTREAM.replace(/:.*/, "")]: ["up"], "eddy.test": peers },
      rate: RATE,
    });
    const directory = `${temporary}/${LAB_PREFIX}-${Deno.pid}-${options.id}`;
    const lab = new Lab(options, network, directory);
    try {
      await lab.#start(options);
      return lab;
    } catch (error) {
      const tails = await lab.tails();
      await lab[Symbol.asyncDispose]();
      throw new Error(`the lab did not start: ${String(error)}\n${tails}`);
    }
  }

  /** @throws {Error} if there is no such node; they count from 1. */
  node(number: number): LabNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new Error(`the lab has no node n${number}`);
    return node;
  }

  /** Waits until a node's agent answers a path with 404: nobody has it. */
  async until404(node: LabNode, path: string): Promise<void> {
    await until(async () => (await node.agent.request(path)).status === 404, {
      what: `${node.host.name} to be refused ${path}`,
    });
  }

  /** Undoes every fault that a test inflicts: cables in, full rate, everything runs and is ready. */
  async heal(): Promise<void> {
    await this.network.setRate(this.network.host("up"), RATE);
    for (const { host, agent } of this.nodes) {
      await this.network.setLink(host, "up");
      await this.network.setRate(host, RATE);
      if (agent.running) agent.process.signal("SIGCONT");
      else await agent.start();
    }
    await this.upstream.start();
    // Whom a node does not know it finds through those that it knows.
    if (this.nodes.length > 1) await this.untilKnown(1);
  }

  /**
   * Waits until every agent, or those of some nodes, knows so many others.
   *
   * @returns how long that took, ms.
   */
  async untilKnown(
    peers: number,
    timeoutMs = 20_000,
    nodes: readonly LabNode[] = this.nodes,
  ): Promise<number> {
    const start = performance.now();
    for (const { agent, host } of nodes) {
      await until(async () => {
        const known = (await agent.metrics()).sum("eddy_peers");
        if (known < peers) throw new Error(`it knows ${known}`);
        return true;
      }, { what: `the agent on ${host.name} to know ${peers} others`, timeoutMs });
    }
    return performance.now() - start;
  }

  /** The last lines of all logs. */
  async tails(): Promise<string> {
    const parts = [this.upstream, ...this.nodes.flatMap((node) => [node.containerd, node.agent])];
    return (await Promise.all(parts.map((part) => part.tail()))).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { agent, containerd } of this.nodes) {
      await agent[Symbol.asyncDispose]();
      await containerd[Symbol.asyncDispose]();
    }
    await this.upstream[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true }).catch(() => {});
  }

  async #start({ withoutAgents, deviations }: LabOptions): Promise<void> {
    await this.upstream.start();
    await Promise.all(this.nodes.map(async ({ containerd }) => {
      await writeUserHosts(containerd);
      await containerd.start(deviations);
    }));
    if (withoutAgents === true) return;
    await Promise.all(this.nodes.map(({ agent }) => agent.start()));
  }
}

async function writeUserHosts(containerd: Containerd): Promise<void> {
  const directory = `${containerd.certsPath}/${UPSTREAM}`;
  await Deno.mkdir(directory, { recursive: true });
  await Deno.writeTextFile(`${directory}/hosts.toml`, USER_HOSTS_TOML);
}
