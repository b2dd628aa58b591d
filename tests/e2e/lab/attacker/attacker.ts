import { fileURLToPath } from "node:url";
import { httpRequest } from "../http_request.ts";
import type { Blob, Image } from "../image.ts";
import { ManagedProcess } from "../managed_process.ts";
import { type Host, onHost } from "../network.ts";
import { runCommand } from "../run_command.ts";
import { until } from "../until.ts";

/**
 * How the attacker answers whoever asks it for content; `empty`: 404; `rotten`: with one flipped bit
 * in what it holds; `arriving`: so, too, and says that it still gets that itself; `runs`: so, too, and
 * closes the connection after the first MiB of the whole.
 */
export type Manner =
  | "empty"
  | "challenge"
  | "rubbish"
  | "rotten"
  | "arriving"
  | "runs"
  | "private"
  | "impostor";

/** A request that the attacker got. */
export interface Seen {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Settings of {@link Attacker.start}. */
export interface AttackerOptions {
  readonly host: Host;
  /** For its log and what it serves. */
  readonly directory: string;
  /** Whose index it joins; none: it only waits for requests. */
  readonly victims?: readonly Host[];
  /** Where it waits for requests; default: the host's address, and the port of all registries. */
  readonly address?: string;
  readonly port?: number;
}

/** An attacker on a host: it is in the network and in the index, and knows no key. */
export class Attacker implements AsyncDisposable {
  readonly #host: Host;
  readonly #directory: string;
  readonly #process: ManagedProcess;

  private constructor(host: Host, directory: string, process: ManagedProcess) {
    this.#host = host;
    this.#directory = directory;
    this.#process = process;
  }

  /** Starts it and waits until it is in the index. */
  static async start(
    { host, directory, victims = [], address = host.address, port = 5000 }: AttackerOptions,
  ): Promise<Attacker> {
    const program = fileURLToPath(new URL("program.ts", import.meta.url));
    const config = fileURLToPath(new URL("../../../../deno.json", import.meta.url));
    await Deno.mkdir(directory, { recursive: true });
    await runCommand([Deno.execPath(), "cache", "--config", config, program], {
      timeoutMs: 120_000,
    });
    const run = [Deno.execPath(), "run", "-A", "--no-check", "--cached-only", "--config", config];
    const process = ManagedProcess.start({
      name: `attacker on ${host.name}`,
      argv: onHost(host, [
        ...run,
        program,
        address,
        String(port),
        directory,
        ...victims.map((at) => at.address),
      ]),
      logFile: `${directory}/attacker.log`,
    });
    const attacker = new Attacker(host, directory, process);
    await until(() => attacker.id(), { what: `attacker on ${host.name}` }).catch(async (error) => {
      const tail = await process.tail();
      await attacker[Symbol.asyncDispose]();
      throw new Error(`${error.message}\n${tail}`);
    });
    return attacker;
  }

  get host(): Host {
    return this.#host;
  }

  /** Its peer id in the index. */
  async id(): Promise<string> {
    return await this.#order<string>("/id");
  }

  /**
   * Says how to answer from now on. `challenge`: what `WWW-Authenticate` is to say; `impostor`: an
   * image that it holds from now on.
   */
  async behave(manner: Manner, options: { challenge?: string; impostor?: Image } = {}) {
    const { challenge = "", impostor } = options;
    await this.hold([...impostor?.manifests ?? [], ...impostor?.blobs ?? []]);
    const query = new URLSearchParams({ manner, challenge, impostor: impostor?.root.digest ?? "" });
    await this.#order(`/behave?${query}`);
  }

  /** Gives it content that it serves, in its manner. */
  async hold(blobs: readonly Blob[]): Promise<void> {
    for (const { digest, content } of blobs) {
      await Deno.writeFile(`${this.#directory}/${digest}`, content);
    }
  }

  /** Says from now on that a peer which nobody has met holds whatever anybody asks for, at its address. */
  async renewId(): Promise<void> {
    await this.#order("/renew");
  }

  /** Says of this peer, whatever anybody asks for, that it is at the attacker's address. */
  async impersonate(peer: string): Promise<void> {
    await this.#order(`/name?${new URLSearchParams({ peer })}`);
  }

  /** Tells the victims that it holds these digests and tags. */
  async announce(keys: readonly string[]): Promise<void> {
    await this.#order(`/announce?${new URLSearchParams(keys.map((key) => ["key", key]))}`);
  }

  /** What it was asked since the last time. */
  async seen(): Promise<Seen[]> {
    return await this.#order<Seen[]>("/seen");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  async #order<T>(path: string): Promise<T> {
    const { status, body } = await httpRequest(this.#host, `http://127.0.0.1:7000${path}`);
    if (status !== 200) throw new Error(`the attacker answers ${path} with ${status}: ${body}`);
    return JSON.parse(body);
  }
}
