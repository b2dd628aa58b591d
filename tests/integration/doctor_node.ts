import assert from "node:assert/strict";
import { join } from "node:path";
import type { Agent } from "../../lib/agent/start_agent.ts";
import { runCommand } from "../../lib/commands/run.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import type { Check } from "../../lib/ports/check.ts";
import { ContainerdClient } from "../../lib/store/containerd/client.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { putImage, sampleImage } from "../store/sample_image.ts";
import { freePorts } from "../support/free_ports.ts";
import { startLiveAgent } from "../support/live_agent.ts";
import { ContainerdRecords } from "./containerd_records.ts";
import { type ContainerdBinaries, RealContainerd } from "./real_containerd.ts";

const LOOPBACK = "127.0.0.1";
const IMAGE = "docker.io/library/app:1";

/** A node with a real containerd, its agent, and a peer. */
export class DoctorNode {
  readonly directory: string;
  readonly major: 1 | 2;
  readonly containerd: RealContainerd;
  readonly #ports: readonly number[];
  readonly #agents: Agent[] = [];
  readonly #others: Agent[] = [];

  private constructor(
    directory: string,
    binaries: ContainerdBinaries,
    containerd: RealContainerd,
    ports: readonly number[],
  ) {
    this.directory = directory;
    this.major = binaries.major;
    this.containerd = containerd;
    this.#ports = ports;
  }

  static async start(directory: string, binaries: ContainerdBinaries): Promise<DoctorNode> {
    const containerd = new RealContainerd(directory, binaries);
    const node = new DoctorNode(directory, binaries, containerd, await freePorts(6));
    await containerd.start();
    await node.#addImage();
    await node.#startAgents();
    return node;
  }

  get certs(): string {
    return this.containerd.certsPath;
  }

  /** Base URL of the peer's registry. */
  get peerUrl(): string {
    return `http://${this.#address(4)}`;
  }

  /** Flags that say where the mirror configuration is. */
  get hostsFlags(): readonly string[] {
    return ["--containerd-registry-config-path", this.certs];
  }

  /** Brings everything back to good. */
  async heal(): Promise<void> {
    await Promise.all(this.#others.splice(0).map((agent) => agent.stop()));
    await Deno.remove(this.certs, { recursive: true }).catch(() => {});
    await Deno.remove(join(this.directory, "other"), { recursive: true }).catch(() => {});
    await Deno.mkdir(this.certs);
    await this.run("configure", ...this.hostsFlags, "--registry-addr", this.#address(1));
  }

  /** Starts another agent on this node, whose only peer knows a wrong port of its registry. */
  async withPeerThatCannotReachIt(): Promise<string[]> {
    const [router, registry = 0, metrics, dead = 0] = await freePorts(4);
    const layout = join(this.directory, `peer${router}`);
    await new OciLayoutWriter(layout).init();
    this.#others.push(
      await startLiveAgent([
        ...["--store", `oci-layout:${layout}`, "--mirror-resolve-timeout", "1s"],
        ...["--router-addr", `${LOOPBACK}:${router}`, "--registry-addr", `${LOOPBACK}:${registry}`],
        ...["--metrics-addr", `${LOOPBACK}:${metrics}`],
      ], () => dead),
    );
    return await this.another({
      firstPeer: `${LOOPBACK}:${router}`,
      registryPortOf: () => registry,
    });
  }

  /** Starts another agent on this node; returns the flags that lead the doctor to it. */
  async another(
    { flags = [], firstPeer, registryPortOf, configures = false }: {
      readonly flags?: readonly string[];
      readonly firstPeer?: string;
      readonly registryPortOf?: (port: number) => number;
      /** Whether it writes the mirror configuration itself, as agents usually do. */
      readonly configures?: boolean;
    },
  ): Promise<string[]> {
    const [router, registry, metrics] = await freePorts(3);
    const args = [
      ...this.#agentFlags(firstPeer),
      ...["--router-addr", `${LOOPBACK}:${router}`],
      ...["--registry-addr", `${LOOPBACK}:${registry}`],
      ...["--metrics-addr", `${LOOPBACK}:${metrics}`],
      ...["--mirror-targets", `http://${LOOPBACK}:${registry}`],
      ...flags,
    ];
    const agent = await startLiveAgent(
      [...args, ...(configures ? this.hostsFlags : ["--containerd-registry-config-path", ""])],
      registryPortOf ?? this.#registryPortOf,
    );
    this.#others.push(agent);
    const written = flags.filter((flag) => flag.startsWith("--resolve-tags"));
    await this.run("configure", ...this.hostsFlags, "--mirror-targets", agent.url, ...written);
    // Peers are met at once if they can be; who has none waits in vain.
    for (let tries = 0; tries < 40 && !await hasPeer(agent); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return args;
  }

  /** Runs a command of Eddy. */
  async run(...args: readonly string[]): Promise<{ code: number; stdout: string }> {
    let stdout = "";
    let stderr = "";
    const code = await runCommand(args, {
      stdout: (text) => stdout += text,
      stderr: (text) => stderr += text,
      isTerminal: false,
      env: {},
      signal: new AbortController().signal,
    });
    assert.equal(stderr, "");
    return { code, stdout };
  }

  /** What the doctor finds. */
  async examine(
    { options = this.doctorFlags, flags = [] }: {
      readonly options?: readonly string[];
      readonly flags?: readonly string[];
    } = {},
  ): Promise<{ code: number; checks: Check[] }> {
    const { code, stdout } = await this.run("doctor", "--json", ...options, ...flags);
    return { code, checks: JSON.parse(stdout) };
  }

  /** What the agent cannot tell: where it is, and what is only so because of the test. */
  get leastFlags(): readonly string[] {
    return [
      ...this.hostsFlags,
      ...["--metrics-addr", this.#address(2)],
      ...["--containerd-config", this.containerd.configFile],
    ];
  }

  get doctorFlags(): readonly string[] {
    return [
      ...this.#agentFlags(),
      ...this.hostsFlags,
      ...["--router-addr", this.#address(0), "--registry-addr", this.#address(1)],
      ...["--metrics-addr", this.#address(2)],
      ...["--containerd-config", this.containerd.configFile],
    ];
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#others, ...this.#agents].map((agent) => agent.stop()));
    await this.containerd.stop();
  }

  #agentFlags(firstPeer = this.#address(3)): readonly string[] {
    return [
      ...["--containerd-sock", this.containerd.socketPath],
      ...["--mirror-resolve-timeout", "1s", "--bootstrap-kind", "static"],
      ...["--static-bootstrap-peers", firstPeer],
    ];
  }

  readonly #registryPortOf = (port: number): number =>
    (port === this.#ports[0] ? this.#ports[1] : this.#ports[4]) ?? 0;

  #address(port: number): string {
    return `${LOOPBACK}:${this.#ports[port]}`;
  }

  async #startAgents(): Promise<void> {
    const layout = join(this.directory, "peer");
    await new OciLayoutWriter(layout).init();
    const start = async (...flags: readonly string[]) =>
      this.#agents.push(await startLiveAgent(flags, this.#registryPortOf));
    await start(
      ...["--store", `oci-layout:${layout}`, "--mirror-resolve-timeout", "1s"],
      ...["--router-addr", this.#address(3), "--registry-addr", this.#address(4)],
      ...["--metrics-addr", this.#address(5)],
    );
    await start(
      ...this.#agentFlags(),
      ...["--containerd-registry-config-path", ""],
      ...["--router-addr", this.#address(0), "--registry-addr", this.#address(1)],
      ...["--metrics-addr", this.#address(2)],
    );
  }

  async #addImage(): Promise<void> {
    const client = new ContainerdClient(this.containerd.socketPath, { namespace: "k8s.io" });
    const records = new ContainerdRecords(client);
    try {
      let count = 0;
      const image = sampleImage("doctor", digestOf);
      const [manifest] = await putImage(
        image,
        async (content) =>
          await records.putContent(new TextEncoder().encode(content), `c${count++}`) as Digest,
      );
      await records.setImage(IMAGE, manifest ?? assert.fail());
    } finally {
      client.close();
    }
  }
}

async function hasPeer(agent: Agent): Promise<boolean> {
  const { peers } = await (await fetch(`${agent.metricsUrl}/debug/api/overview`)).json();
  return peers.length > 0;
}
