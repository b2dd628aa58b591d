import { fileURLToPath } from "node:url";
import type { LabNode } from "./lab.ts";
import { ManagedProcess } from "./managed_process.ts";
import { onHost } from "./network.ts";
import { until } from "./until.ts";
import { runCommand } from "./run_command.ts";

/** How a stub answers: see `stub_peer_server.ts`. */
export type Manner = "good" | "silent" | "stalls" | "trickles";

/**
 * Stands where other nodes look for a node's registry, whose own agent listens on loopback only.
 * Serves what the node's containerd holds, and misbehaves when told to.
 */
export class StubPeer implements AsyncDisposable {
  readonly #process: ManagedProcess;
  readonly #mannerFile: string;

  private constructor(process: ManagedProcess, mannerFile: string) {
    this.#process = process;
    this.#mannerFile = mannerFile;
  }

  /** Starts it with good manners, and waits until it answers. */
  static async start(node: LabNode): Promise<StubPeer> {
    const { host, containerd } = node;
    const directory = containerd.contentPath.replace(/\/root\/.*/, "");
    const mannerFile = `${directory}/manner`;
    await Deno.writeTextFile(mannerFile, "good");
    const server = fileURLToPath(new URL("stub_peer_server.ts", import.meta.url));
    const process = ManagedProcess.start({
      name: `stub on ${host.name}`,
      argv: onHost(host, [
        ...[Deno.execPath(), "run", "--no-config", "--allow-net", "--allow-read", server],
        ...[host.address, "5000", `${containerd.contentPath}/blobs`, mannerFile],
      ]),
      logFile: `${directory}/stub.log`,
    });
    await until(
      async () => {
        const argv = ["curl", "-s", "--noproxy", "*", `http://${host.address}:5000/v2/`];
        return (await runCommand(onHost(host, argv), { allowFailure: true })).code === 0;
      },
      { what: `the stub on ${host.name} to answer` },
    );
    return new StubPeer(process, mannerFile);
  }

  /** Says how to answer from now on. */
  async behave(manner: Manner): Promise<void> {
    await Deno.writeTextFile(this.#mannerFile, manner);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
