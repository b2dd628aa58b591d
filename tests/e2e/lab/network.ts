import { runCommand } from "./run_command.ts";

/** The lab's subnet; it exists in its own namespaces only, the host has no address in it. */
export const SUBNET = "10.213.7";
/** Prefix of everything that a lab leaves on the machine, followed by the pid of its test process. */
export const LAB_PREFIX = "eddy-e2e";

/** A machine of the lab: a network namespace on the bridge. */
export interface Host {
  /** Short name, e.g. `n1`. */
  readonly name: string;
  /** Name of the network namespace. */
  readonly namespace: string;
  /** At present: {@link Network.readdress} changes it. */
  readonly address: string;
}

/** Settings of {@link Network.create}. */
export interface NetworkOptions {
  /** Unique among the labs of this process. */
  id: string;
  /** Names of the hosts to make. */
  hosts: readonly string[];
  /** Lines of each host's `/etc/hosts`: names, and the hosts that each stands for. */
  names: Readonly<Record<string, readonly string[]>>;
  /** What each host may send, as `tc` writes rates; undefined: no limit. */
  rate: string | undefined;
}

/** Hosts on one bridge, which is in a namespace of its own. */
export class Network implements AsyncDisposable {
  readonly #bridge: string;
  readonly #hosts = new Map<string, Host>();
  /** Above those of the first hosts. */
  #nextAddress = 100;

  private constructor(bridge: string) {
    this.#bridge = bridge;
  }

  /** Makes the namespaces, links and name files. */
  static async create(options: NetworkOptions): Promise<Network> {
    const prefix = `${LAB_PREFIX}-${Deno.pid}-${options.id}`;
    const network = new Network(`${prefix}-br`);
    try {
      await ip("netns", "add", network.#bridge);
      for (const segment of ["br0", "br1"]) {
        await ip("-n", network.#bridge, "link", "add", segment, "type", "bridge");
        await ip("-n", network.#bridge, "link", "set", segment, "up");
      }
      for (const [index, name] of options.hosts.entries()) {
        await network.#add({
          name,
          namespace: `${prefix}-${name}`,
          address: `${SUBNET}.${10 + index}`,
        });
      }
      for (const host of network.#hosts.values()) {
        await network.#writeNames(host, options.names);
        await network.setRate(host, options.rate);
      }
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @throws {Error} if there is no host of that name. */
  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`the lab has no host ${name}`);
    return host;
  }

  /** Plugs a host's cable in or out. Nobody is told: packets are lost without a trace. */
  async setLink(host: Host, state: "up" | "down"): Promise<void> {
    await ip("-n", this.#bridge, "link", "set", port(host), state);
  }

  /** Moves a host's cable to another switch: it reaches only those that are there, too. */
  async setSegment(host: Host, segment: "br0" | "br1"): Promise<void> {
    await ip("-n", this.#bridge, "link", "set", port(host), "master", segment);
  }

  /** Limits what a host can receive; undefined: no limit. */
  async setDownlink(host: Host, rate: string | undefined): Promise<void> {
    await limit(this.#bridge, port(host), rate);
  }

  /** Limits what a host can send, e.g. `400mbit`; undefined: no limit. */
  async setRate(host: Host, rate: string | undefined): Promise<void> {
    await limit(host.namespace, "eth0", rate);
  }

  /**
   * Gives a host another address, as a pod that is replaced has one. Names do not follow, and packets
   * to the old one are lost.
   */
  async readdress(host: Host): Promise<void> {
    const address = `${SUBNET}.${this.#nextAddress++}`;
    await ip("-n", host.namespace, "addr", "del", `${host.address}/24`, "dev", "eth0");
    await ip("-n", host.namespace, "addr", "add", `${address}/24`, "dev", "eth0");
    (host as { address: string }).address = address;
  }

  /** Has a name stand for these hosts from now on, for one that asks. */
  async setName(host: Host, name: string, targets: readonly string[]): Promise<void> {
    await this.setAddresses(host, name, targets.map((target) => this.host(target).address));
  }

  /** The same, by addresses, which may be out of date. */
  async setAddresses(host: Host, name: string, addresses: readonly string[]): Promise<void> {
    const file = `/etc/netns/${host.namespace}/hosts`;
    const others = (await Deno.readTextFile(file)).split("\n")
      .filter((line) => line !== "" && !line.endsWith(` ${name}`));
    const lines = addresses.map((address) => `${address} ${name}`);
    // In place: what runs on the host has this very file before it.
    await Deno.writeTextFile(file, [...others, ...lines, ""].join("\n"));
  }

  /** Bytes that a host has sent so far, by the bridge's count. */
  async sentBytes(host: Host): Promise<number> {
    const { stdout } = await ip("-n", this.#bridge, "-j", "-s", "link", "show", port(host));
    const [link] = JSON.parse(stdout) as { stats64?: { rx?: { bytes?: number } } }[];
    return link?.stats64?.rx?.bytes ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts.values()) await removeNamespace(host.namespace);
    await removeNamespace(this.#bridge);
  }

  async #add(host: Host): Promise<void> {
    this.#hosts.set(host.name, host);
    const ns = host.namespace;
    await ip("netns", "add", ns);
    await ip("-n", ns, "link", "set", "lo", "up");
    await ip(
      ...["-n", ns, "link", "add", "eth0", "type", "veth"],
      ...["peer", "name", port(host), "netns", this.#bridge],
    );
    await ip("-n", ns, "addr", "add", `${host.address}/24`, "dev", "eth0");
    await ip("-n", ns, "link", "set", "eth0", "up");
    await ip("-n", this.#bridge, "link", "set", port(host), "master", "br0", "up");
  }

  async #writeNames(host: Host, names: NetworkOptions["names"]): Promise<void> {
    const lines = ["127.0.0.1 localhost"];
    for (const [name, targets] of Object.entries(names)) {
      for (const target of targets) lines.push(`${this.host(target).address} ${name}`);
    }
    const directory = `/etc/netns/${host.namespace}`;
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(`${directory}/hosts`, lines.join("\n") + "\n");
    // Nobody listens there: names outside of the lab fail at once rather than after a time limit.
    await Deno.writeTextFile(`${directory}/resolv.conf`, "nameserver 127.0.0.1\n");
  }
}

/** The arguments in front of a command that make it run on a host. */
export function onHost(host: Host, argv: readonly string[]): string[] {
  return ["ip", "netns", "exec", host.namespace, ...argv];
}

/**
 * As {@link onHost}, with the machine's own control groups, which `ip netns exec` hides: whoever runs
 * containers needs them.
 */
export function onHostWithCgroups(host: Host, argv: readonly string[]): string[] {
  const script = 'for file in hosts resolv.conf; do mount --bind "/etc/netns/$0/$file" ' +
    '"/etc/$file"; done; exec nsenter "--net=/run/netns/$0" "$@"';
  return ["unshare", "--mount", "sh", "-c", script, host.namespace, ...argv];
}

/** Kills what still runs in a namespace of a lab and removes it with its name files. */
export async function removeNamespace(namespace: string): Promise<void> {
  const { stdout } = await ip("netns", "pids", namespace).catch(() => ({ stdout: "" }));
  for (const pid of stdout.split("\n").filter((line) => line !== "")) {
    try {
      Deno.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
  await runCommand(["ip", "netns", "del", namespace], { allowFailure: true });
  await Deno.remove(`/etc/netns/${namespace}`, { recursive: true }).catch(() => {});
}

/** Limits what an interface sends. */
async function limit(namespace: string, device: string, rate: string | undefined): Promise<void> {
  const qdisc = ["tc", "-n", namespace, "qdisc"];
  if (rate === undefined) {
    const command = [...qdisc, "del", "dev", device, "root"];
    await runCommand(command, { allowFailure: true });
    return;
  }
  // What fits into a burst passes at once; a fast link's has to last until the next timer fires.
  const slow = /^\d+k?bit$/.test(rate);
  await runCommand([
    ...[...qdisc, "replace", "dev", device, "root", "tbf"],
    ...["rate", rate, "burst", slow ? "2kb" : "512kb", "latency", "100ms"],
  ]);
}

/** The bridge's end of a host's cable; interface names have at most 15 characters. */
function port(host: Host): string {
  return `p-${host.name}`.slice(0, 15);
}

function ip(...args: string[]): Promise<{ stdout: string }> {
  return runCommand(["ip", ...args]);
}
