import { fileURLToPath } from "node:url";
import { httpRequest } from "./http_request.ts";
import type { Lab, LabNode } from "./lab.ts";
import { ManagedProcess } from "./managed_process.ts";
import { type Host, onHost } from "./network.ts";
import { until } from "./until.ts";
import { UPSTREAM } from "./upstream.ts";

const [NAME = "", PORT = ""] = UPSTREAM.split(":");

/** Stands for upstream on one node, and refuses it all layers; the others reach the real one. */
export class RefusingRegistry implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #node: LabNode;
  readonly #process: ManagedProcess;
  readonly #logFile: string;

  private constructor(lab: Lab, node: LabNode, process: ManagedProcess, logFile: string) {
    this.#lab = lab;
    this.#node = node;
    this.#process = process;
    this.#logFile = logFile;
  }

  /**
   * Starts it and has the node ask it.
   *
   * @param host where it runs; nothing else listens at upstream's port there.
   */
  static async start(
    { lab, node, host, status }: {
      readonly lab: Lab;
      readonly node: LabNode;
      readonly host: Host;
      readonly status: 401 | 429;
    },
  ): Promise<RefusingRegistry> {
    const logFile = `${lab.directory}/refusing-${status}.log`;
    const server = fileURLToPath(new URL("refusing_registry_server.ts", import.meta.url));
    const process = ManagedProcess.start({
      name: `registry that answers ${status}`,
      argv: onHost(host, [
        ...[Deno.execPath(), "run", "--no-config", "--allow-net", server],
        ...[host.address, PORT, String(status), `${lab.network.host("up").address}:${PORT}`],
      ]),
      logFile,
    });
    const url = `http://${host.address}:${PORT}/v2/`;
    await until(async () => (await httpRequest(host, url)).status === 200, {
      what: "the registry that refuses to answer",
    });
    await lab.network.setName(node.host, NAME, [host.name]);
    return new RefusingRegistry(lab, node, process, logFile);
  }

  /** Requests that it has refused. */
  async refused(): Promise<number> {
    const log = await Deno.readTextFile(this.#logFile);
    return log.split("\n").filter((line) => line.startsWith("refused ")).length;
  }

  /** Ends it; the node reaches upstream again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { network } = this.#lab;
    await network.setName(this.#node.host, NAME, ["up"]);
    await this.#process[Symbol.asyncDispose]();
  }
}
