import { fileURLToPath } from "node:url";
import { ManagedProcess } from "./managed_process.ts";
import { type Host, onHost } from "./network.ts";

/** What was seen of an agent at one time. */
export interface Look {
  /** Time of day, ms. */
  readonly at: number;
  readonly ready: boolean;
  /** Peers that it knows; -1: it does not answer. */
  readonly peers: number;
  /** Answer to a request of containerd's; 0: none. */
  readonly status: number;
}

/** Watches the agent of a host, from that host. */
export class Watch implements AsyncDisposable {
  readonly #process: ManagedProcess;
  readonly #file: string;

  private constructor(process: ManagedProcess, file: string) {
    this.#process = process;
    this.#file = file;
  }

  /** @param paths what is asked of the agent's registry, in turn. */
  static start(host: Host, directory: string, paths: readonly string[]): Watch {
    const logFile = `${directory}/watch-${host.name}.log`;
    const program = fileURLToPath(new URL("watch_program.ts", import.meta.url));
    const argv = [Deno.execPath(), "run", "-A", "--no-check", "--no-config", program, ...paths];
    const name = `watch on ${host.name}`;
    return new Watch(
      ManagedProcess.start({ name, argv: onHost(host, argv), logFile }),
      logFile,
    );
  }

  /** Everything that was seen so far. */
  async looks(): Promise<Look[]> {
    const text = await Deno.readTextFile(this.#file).catch(() => "");
    return text.split("\n").filter((line) => line.endsWith("}")).map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** The longest time during which something was seen without a break, ms. */
export function longest(looks: readonly Look[], isSo: (look: Look) => boolean): number {
  let longestMs = 0;
  let since: number | undefined;
  for (const look of looks) {
    if (since !== undefined) longestMs = Math.max(longestMs, look.at - since);
    since = isSo(look) ? since ?? look.at : undefined;
  }
  return longestMs;
}
