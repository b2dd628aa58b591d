import { fileURLToPath } from "node:url";
import { httpRequest } from "../../e2e/lab/http_request.ts";
import { ManagedProcess } from "../../e2e/lab/managed_process.ts";
import { type Host, onHost } from "../../e2e/lab/network.ts";
import { runCommand } from "../../e2e/lab/run_command.ts";
import { until } from "../../e2e/lab/until.ts";

/** What an {@link Outsider} is. */
export interface OutsiderRoles {
  /** Where it waits for connections, of which it notes `connection PORT`. */
  readonly traps?: readonly { readonly hostname: string; readonly port: number }[];
  /** A name, and the addresses that its name server at 127.0.0.1:53 has for it in turn (`name …`). */
  readonly names?: { readonly name: string; readonly addresses: readonly string[] };
  /** A registry of one image that answers 401 to whoever does not show its header. */
  readonly registry?: {
    readonly hostname: string;
    readonly port: number;
    readonly header: { readonly name: string; readonly value: string };
    /** Has the content, in files that are named by digest. */
    readonly directory: string;
    /** Digest of the tag `v1`. */
    readonly root: string;
  };
}

/** A process on a host that is no part of the cluster. */
export class Outsider implements AsyncDisposable {
  readonly #host: Host;
  readonly #process: ManagedProcess;

  private constructor(host: Host, process: ManagedProcess) {
    this.#host = host;
    this.#process = process;
  }

  /** Starts it and waits until it answers. */
  static async start(host: Host, directory: string, roles: OutsiderRoles): Promise<Outsider> {
    const program = fileURLToPath(new URL("outsider_program.ts", import.meta.url));
    const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
    await Deno.mkdir(directory, { recursive: true });
    await runCommand([Deno.execPath(), "cache", "--config", config, program], {
      timeoutMs: 120_000,
    });
    const run = [Deno.execPath(), "run", "-A", "--no-check", "--cached-only", "--config", config];
    const process = ManagedProcess.start({
      name: `outsider on ${host.name}`,
      argv: onHost(host, [...run, program, JSON.stringify(roles)]),
      logFile: `${directory}/outsider.log`,
    });
    const outsider = new Outsider(host, process);
    await until(() => outsider.noted().then(() => true), { what: `outsider on ${host.name}` })
      .catch(async (error) => {
        const tail = await process.tail();
        await outsider[Symbol.asyncDispose]();
        throw new Error(`${error.message}\n${tail}`);
      });
    return outsider;
  }

  /** What it has noted since the last time. */
  async noted(): Promise<string[]> {
    const { status, body } = await httpRequest(this.#host, "http://127.0.0.1:7200/");
    if (status !== 200) throw new Error(`the outsider answers with ${status}: ${body}`);
    return JSON.parse(body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
