import { eddyCommand } from "../lab/eddy_command.ts";
import { type HttpAnswer, httpRequest } from "../lab/http_request.ts";
import { ManagedProcess } from "../lab/managed_process.ts";
import { type Host, onHost } from "../lab/network.ts";
import { GiveUp, until } from "../lab/until.ts";
import type { ApiServer } from "./api_server.ts";

/** A line of the agent's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** No host of the lab has this address: packets to it get no answer at all. */
const NOBODY = "http://10.213.7.250:5002/id";
/** Longer than `--ready-timeout`: an agent may be told of others that it never meets. */
const READY_MS = 60_000;
const INDEX = '{"schemaVersion":2,"manifests":[]}';

/** Settings of {@link Pod}. */
export interface PodOptions {
  readonly host: Host;
  readonly api: ApiServer;
  /** For its files. */
  readonly directory: string;
  /** Namespace and token of its service account. */
  readonly namespace: string;
  readonly token: string;
  /** Arguments of the container. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Eddy as the kubelet would start it: on a host of its own, with the environment and the service
 * account's files of a pod. Images are in a layout directory, so that no containerd is needed.
 */
export class Pod implements AsyncDisposable {
  readonly #options: PodOptions;
  #process: ManagedProcess | undefined;

  constructor(options: PodOptions) {
    this.#options = options;
  }

  get host(): Host {
    return this.#options.host;
  }

  get directory(): string {
    return this.#options.directory;
  }

  /** The token of its service account; empty if it gets none. */
  get token(): string {
    return this.#options.token;
  }

  /** Directory of the node's registry configuration. */
  get certsPath(): string {
    return `${this.#options.directory}/certs.d`;
  }

  /** Directory with the images. */
  get layoutPath(): string {
    return `${this.#options.directory}/layout`;
  }

  /**
   * Starts it. With `slow` it waits for peers that do not answer, and becomes ready seconds later.
   * `token` replaces that of its service account.
   */
  async start({ slow = false, token = this.#options.token } = {}): Promise<void> {
    const { host, api, directory, namespace, args, env } = this.#options;
    const account = `${directory}/serviceaccount`;
    await Deno.mkdir(`${this.layoutPath}/blobs/sha256`, { recursive: true });
    await Deno.mkdir(account, { recursive: true });
    await Deno.mkdir(this.certsPath, { recursive: true });
    await Deno.writeTextFile(`${this.layoutPath}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    await Deno.writeTextFile(`${this.layoutPath}/index.json`, INDEX);
    await Deno.copyFile(api.caFile, `${account}/ca.crt`);
    await Deno.writeTextFile(`${account}/namespace`, namespace);
    await Deno.writeTextFile(`${account}/token`, token);
    const variables = {
      ...env,
      KUBERNETES_SERVICE_HOST: api.address,
      KUBERNETES_SERVICE_PORT: String(api.port),
    };
    this.#process = ManagedProcess.start({
      name: `pod on ${host.name}`,
      // A command of `ip netns exec` has a mount namespace of its own: /run is a pod's.
      argv: onHost(host, [
        "sh",
        "-ec",
        "mount -t tmpfs tmpfs /run; mkdir -p /run/secrets/kubernetes.io/serviceaccount; " +
        'mount --bind -o ro "$0" /run/secrets/kubernetes.io/serviceaccount; exec "$@"',
        account,
        "env",
        ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
        ...eddyCommand(),
        ...args,
        ...(slow ? ["--bootstrap-kind=http", `--http-bootstrap-url=${NOBODY}`] : []),
      ]),
      logFile: this.#logFile,
    });
  }

  async untilReady(): Promise<void> {
    await until(async () => {
      if (this.#process?.status !== undefined) throw new GiveUp(await this.tail());
      return (await this.get("/readyz")).status === 200;
    }, { what: `the pod on ${this.host.name} to be ready`, timeoutMs: READY_MS, intervalMs: 50 });
  }

  /** Makes a request to its registry from its own host. */
  get(path: string): Promise<HttpAnswer> {
    return httpRequest(this.host, `http://127.0.0.1:5000${path}`, { timeoutMs: 3000 });
  }

  /** Whether the process is there. */
  get running(): boolean {
    return this.#process !== undefined && this.#process.status === undefined;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** The JSON lines of its log. */
  async log(): Promise<LogLine[]> {
    const text = await Deno.readTextFile(this.#logFile).catch(() => "");
    return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** Waits for a line of the log whose message matches. */
  async untilLogged(message: RegExp): Promise<LogLine> {
    const { value } = await until(
      async () => (await this.log()).find(({ msg }) => message.test(String(msg))),
      { what: `the pod on ${this.host.name} to log ${message}`, timeoutMs: 30_000 },
    );
    return value;
  }

  async tail(): Promise<string> {
    return await this.#process?.tail(40) ?? `pod on ${this.host.name}: not started`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  get #logFile(): string {
    return `${this.#options.directory}/eddy.log`;
  }
}
