import { fileURLToPath } from "node:url";
import { CriImages } from "../../e2e/lab/cri_images.ts";
import { ManagedProcess } from "../../e2e/lab/managed_process.ts";
import { type Host, onHostWithCgroups } from "../../e2e/lab/network.ts";
import { onlyChild } from "../../e2e/lab/only_child.ts";
import { readTree } from "../../e2e/lab/read_tree.ts";
import {
  type CommandResult,
  runCommand,
  type RunCommandOptions,
} from "../../e2e/lab/run_command.ts";
import { GiveUp, until } from "../../e2e/lab/until.ts";
import { createCgroup, removeCgroup } from "./cgroups.ts";
import type { ClusterPrograms } from "./programs.ts";

const BOOT = fileURLToPath(new URL("node_boot.sh", import.meta.url));

/** What programs of a node say all the time. */
const NOISE = /^I\d{4} |level=info msg="(?!trying next host)/;

/** Settings of {@link ClusterNode}. */
export interface ClusterNodeOptions {
  readonly host: Host;
  /** For all that is the node's; its files are there already. */
  readonly directory: string;
  /** Control group of its pods, as a path below the root. */
  readonly cgroup: string;
  /** Directory with `containerd` and its shim. */
  readonly containerdDirectory: string;
  readonly programs: ClusterPrograms;
}

/**
 * A node: containerd, kubelet and kube-proxy in mount, process, UTS and IPC namespaces of their own, on
 * a host of the lab. To its programs its directories are where a node has them.
 */
export class ClusterNode implements AsyncDisposable {
  readonly #options: ClusterNodeOptions;
  readonly #processes = new Map<string, ManagedProcess>();
  #boot: ManagedProcess | undefined;
  #pid = 0;
  #cri: CriImages | undefined;

  constructor(options: ClusterNodeOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.host.name;
  }

  get host(): Host {
    return this.#options.host;
  }

  get cgroup(): string {
    return this.#options.cgroup;
  }

  /** Its containerd's images, without the kubelet. */
  get cri(): CriImages {
    return this.#cri ??= new CriImages(
      `/proc/${this.#pid}/root/run/containerd/containerd.sock`,
    );
  }

  /** Starts everything; resolves when its containerd answers. */
  async start(): Promise<void> {
    const { host, directory, cgroup } = this.#options;
    await createCgroup(cgroup);
    const namespaces = ["--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const boot = ManagedProcess.start({
      name: `first process of ${host.name}`,
      argv: onHostWithCgroups(host, [
        ...["unshare", ...namespaces, "bash", BOOT, directory, host.name],
      ]),
      logFile: `${directory}/boot.log`,
    });
    this.#boot = boot;
    await until(async () => {
      if (boot.status !== undefined) throw new GiveUp(await boot.tail());
      return await Deno.stat(`${directory}/booted`).then(() => true, () => false);
    }, { what: `${host.name} to boot` });
    this.#pid = await onlyChild(boot.pid) ?? 0;
    this.startContainerd();
    await until(() => this.cri.list(), { what: `containerd on ${host.name} to answer` });
  }

  /** Starts containerd; it is not waited for. */
  startContainerd(): void {
    const program = `${this.#options.containerdDirectory}/containerd`;
    this.#start("containerd", [program, "--config", "/etc/containerd/config.toml"]);
  }

  /** Starts the kubelet; it is not waited for. */
  startKubelet(): void {
    const { directory, host, programs } = this.#options;
    this.#start("kubelet", [
      ...[programs.kubelet, `--config=${directory}/kubelet.json`],
      ...[`--kubeconfig=${directory}/kubelet.kubeconfig`, `--hostname-override=${host.name}`],
      `--node-ip=${host.address}`,
    ]);
  }

  /** Starts kube-proxy; it is not waited for. */
  startProxy(): void {
    const { directory, programs } = this.#options;
    this.#start("kube-proxy", [programs.kubeProxy, `--config=${directory}/proxy.json`]);
  }

  /** Ends one of its programs, as a service manager would. Containers go on. */
  async stop(program: "containerd" | "kubelet" | "kube-proxy"): Promise<void> {
    const process = this.#processes.get(program);
    const pid = process === undefined ? undefined : await onlyChild(process.pid);
    if (process === undefined || pid === undefined) return;
    // What was started waits for the program, and passes no signal on.
    Deno.kill(pid, "SIGTERM");
    await until(() => process.status !== undefined, { what: `${program} to end` });
    this.#processes.delete(program);
  }

  /** Runs a command on it, as root. */
  run(argv: readonly string[], options: RunCommandOptions = {}): Promise<CommandResult> {
    return runCommand([...this.#enter(), ...argv], options);
  }

  /** All of containerd's registry configuration, by path. */
  hostsFiles(): Promise<Record<string, string>> {
    return readTree(`${this.#options.directory}/root/etc/containerd/certs.d`);
  }

  /** A path of the node, as it can be used from outside. */
  path(path: string): string {
    return `/proc/${this.#pid}/root${path}`;
  }

  async tail(): Promise<string> {
    return (await Promise.all([...this.#processes.values()].map((each) => each.tail(12)))).join(
      "\n",
    );
  }

  /** Ends all that runs on it, at once. It can be started again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cri?.[Symbol.dispose]();
    this.#cri = undefined;
    const boot = this.#boot;
    if (boot === undefined) return;
    const first = await onlyChild(boot.pid).catch(() => undefined);
    if (first !== undefined) Deno.kill(first, "SIGKILL");
    // With the first process of its namespace each other one ends; only then this one does.
    await until(() => boot.status !== undefined, { what: `${this.name} to end` });
    for (const process of this.#processes.values()) await process.stop();
    this.#processes.clear();
    this.#boot = undefined;
    await until(() => removeCgroup(this.#options.cgroup).then(() => true), {
      what: `the control group of ${this.name} to be removed`,
    });
  }

  #start(name: string, argv: readonly string[]): void {
    const path = `${this.#options.containerdDirectory}:/usr/sbin:/usr/bin:/sbin:/bin`;
    this.#processes.set(
      name,
      ManagedProcess.start({
        name: `${name} on ${this.name}`,
        argv: [...this.#enter(), "env", `PATH=${path}`, ...argv],
        logFile: `${this.#options.directory}/${name}.log`,
        noise: NOISE,
      }),
    );
  }

  #enter(): string[] {
    return ["nsenter", "--target", `${this.#pid}`, "--all"];
  }
}
