import {
  type HttpAnswer,
  httpRequest,
  type HttpRequestOptions,
} from "../../e2e/lab/http_request.ts";
import { ManagedProcess } from "../../e2e/lab/managed_process.ts";
import { type Host, onHost } from "../../e2e/lab/network.ts";
import { GiveUp, until } from "../../e2e/lab/until.ts";

/** How a node finds its first peers; the flags are the same on both sides. */
export type Bootstrap = readonly string[];

/** One implementation of a node. */
export interface NodeKind {
  /** For messages and figures. */
  readonly name: string;
  /** Says now and then that it finds nobody, and finds them when it is asked again. */
  readonly mayMiss?: boolean;
  /** The command that starts it, bootstrap flags added at its end. */
  argv(node: { readonly host: Host; readonly directory: string }): string[];
}

/** A peer on a host, of whatever implementation. */
export class InteropNode implements AsyncDisposable {
  readonly host: Host;
  readonly kind: NodeKind;
  readonly #directory: string;
  #process: ManagedProcess | undefined;
  /** Each start has a log of its own: the identity is read from it. */
  #starts = 0;

  /** @param directory for what the node holds and logs. */
  constructor(kind: NodeKind, host: Host, directory: string) {
    this.kind = kind;
    this.host = host;
    this.#directory = directory;
  }

  /** Starts it and waits until it serves; it may not know anybody then. */
  async start(bootstrap: Bootstrap = []): Promise<void> {
    const { host, kind } = this;
    this.#starts++;
    const process = ManagedProcess.start({
      name: `${kind.name} on ${host.name}`,
      argv: onHost(host, [...kind.argv({ host, directory: this.#directory }), ...bootstrap]),
      logFile: this.#logFile,
      noise: /"handler":"(readyz|metrics)"|"path":"\/v2\/"/,
    });
    this.#process = process;
    await until(async () => {
      if (process.status !== undefined) throw new GiveUp(await process.tail());
      return (await this.request("/v2/", { timeoutMs: 1000 })).status !== 0;
    }, { what: `${kind.name} on ${host.name} to serve`, timeoutMs: 30_000, intervalMs: 20 });
  }

  /** Peer id. */
  async id(): Promise<string> {
    const { value } = await until(async () => {
      const log = await Deno.readTextFile(this.#logFile);
      return /"id":"(12D3KooW\w+)"/.exec(log)?.[1];
    }, { what: `the identity of ${this.host.name}` });
    return value;
  }

  /** Asks its registry, from its own host, as containerd does. */
  request(path: string, options: HttpRequestOptions = {}): Promise<HttpAnswer> {
    return httpRequest(this.host, `http://127.0.0.1:5000${path}`, options);
  }

  /** Ends it with SIGTERM. */
  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** Kills it, as a crash would. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#process = undefined;
  }

  async tail(): Promise<string> {
    return await this.#process?.tail() ?? `--- ${this.kind.name} on ${this.host.name} (stopped)`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  get #logFile(): string {
    return `${this.#directory}/log-${this.#starts}`;
  }
}
