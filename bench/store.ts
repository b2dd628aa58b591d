import type { Containerd } from "../tests/e2e/lab/containerd.ts";
import { type Host, onHost } from "../tests/e2e/lab/network.ts";
import { runCommand } from "../tests/e2e/lab/run_command.ts";
import { UPSTREAM } from "../tests/e2e/lab/upstream.ts";

/** containerd namespace of the images, separate from the CRI's. */
export const NAMESPACE = "bench";

/** Images in a node's containerd. */
export class NodeStore {
  readonly #host: Host;
  readonly #containerd: Containerd;
  readonly #directory: string;

  /** @param directory of `ctr`. */
  constructor(host: Host, containerd: Containerd, directory: string) {
    this.#host = host;
    this.#containerd = containerd;
    this.#directory = directory;
  }

  /**
   * Directs pulls to this port of the node first, then to upstream; without a port, to upstream
   * alone.
   */
  async mirrorAt(port: number | undefined): Promise<void> {
    const directory = `${this.#containerd.certsPath}/${UPSTREAM}`;
    await Deno.mkdir(directory, { recursive: true });
    const lines = [`server = "http://${UPSTREAM}"`];
    if (port !== undefined) {
      lines.push(`[host."http://127.0.0.1:${port}"]`, 'capabilities = ["pull", "resolve"]');
    }
    await Deno.writeTextFile(`${directory}/hosts.toml`, lines.join("\n") + "\n");
  }

  /** Pulls without unpacking. Returns how long that took, ms. */
  async pull(reference: string): Promise<number> {
    const started = performance.now();
    // Without `--debug` it polls its progress every 100 ms, and ends only at the next poll.
    const fetch = ["--debug", "content", "fetch", "--hosts-dir", this.#containerd.certsPath];
    await this.#ctr(...fetch, reference);
    return performance.now() - started;
  }

  /** Removes an image and content that only it references. */
  async remove(reference: string): Promise<void> {
    await this.#ctr("images", "rm", "--sync", reference);
  }

  async #ctr(...args: string[]): Promise<void> {
    const command = [`${this.#directory}/ctr`, "-a", this.#containerd.socket, "-n", NAMESPACE];
    await runCommand(onHost(this.#host, [...command, ...args]), { timeoutMs: 180_000 });
  }
}
