import { parseAllDocuments } from "yaml";
import { ManagedProcess } from "../lab/managed_process.ts";
import { type Host, onHost } from "../lab/network.ts";
import { runCommand } from "../lab/run_command.ts";
import { GiveUp, until } from "../lab/until.ts";
import type { KubernetesPrograms } from "./programs.ts";

/** Port of the API server. */
const PORT = 6443;
/** Who may do everything; the API server takes it from its token file. */
const ADMIN = "lab-admin-token";

/** What an API server answered. */
export interface ApiAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** Settings of {@link ApiServer.request}. */
export interface ApiRequestOptions {
  /** Sent as JSON. */
  body?: unknown;
  /** Default: `application/json`. */
  contentType?: string;
  /** Default: the administrator's. */
  token?: string;
}

/** Settings of {@link ApiServer}. */
export interface ApiServerOptions {
  /** Further flags; they take precedence. */
  flags?: readonly string[];
  /** Users besides the administrator: lines of a token file (`token,user,uid,"group,…"`). */
  users?: readonly string[];
}

/** A real kube-apiserver with a real etcd, without controllers and kubelets, on a host of the lab. */
export class ApiServer implements AsyncDisposable {
  readonly #host: Host;
  readonly #directory: string;
  readonly #programs: KubernetesPrograms;
  readonly #options: ApiServerOptions;
  #etcd: ManagedProcess | undefined;
  #server: ManagedProcess | undefined;

  constructor(
    host: Host,
    directory: string,
    programs: KubernetesPrograms,
    options: ApiServerOptions = {},
  ) {
    this.#host = host;
    this.#directory = directory;
    this.#programs = programs;
    this.#options = options;
  }

  get address(): string {
    return this.#host.address;
  }

  get port(): number {
    return PORT;
  }

  get url(): string {
    return `https://${this.#host.address}:${PORT}`;
  }

  /** The certificate that clients trust: the server signs its own. */
  get caFile(): string {
    return `${this.#directory}/pki/apiserver.crt`;
  }

  /** The key that signs tokens of service accounts, for the controllers. */
  get serviceAccountKeyFile(): string {
    return `${this.#directory}/pki/sa.key`;
  }

  /** A kubeconfig of the administrator, for helm. */
  get kubeconfig(): string {
    return `${this.#directory}/admin.kubeconfig`;
  }

  async start(): Promise<void> {
    await Deno.mkdir(`${this.#directory}/pki`, { recursive: true });
    await this.#makeKeys();
    this.#etcd = ManagedProcess.start({
      name: "etcd",
      argv: onHost(this.#host, [
        this.#programs.etcd,
        ...["--data-dir", `${this.#directory}/etcd`, "--unsafe-no-fsync"],
        ...["--listen-client-urls", "http://127.0.0.1:2379"],
        ...["--advertise-client-urls", "http://127.0.0.1:2379"],
        ...["--listen-peer-urls", "http://127.0.0.1:2380"],
      ]),
      logFile: `${this.#directory}/etcd.log`,
    });
    await this.startServer();
    await Deno.writeTextFile(this.kubeconfig, await this.kubeconfigOf(ADMIN));
  }

  /** Starts the API server, etcd runs already, and waits until it is ready. */
  async startServer(): Promise<void> {
    const pki = `${this.#directory}/pki`;
    this.#server = ManagedProcess.start({
      name: "kube-apiserver",
      argv: onHost(this.#host, [
        this.#programs.apiServer,
        ...["--etcd-servers", "http://127.0.0.1:2379", "--storage-media-type", "application/json"],
        ...["--cert-dir", pki, "--secure-port", String(PORT)],
        ...["--bind-address", this.#host.address, "--advertise-address", this.#host.address],
        ...["--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.96.0.0/16"],
        ...["--service-account-issuer", "https://kubernetes.default.svc"],
        ...["--service-account-key-file", `${pki}/sa.pub`],
        ...["--service-account-signing-key-file", `${pki}/sa.key`],
        ...["--token-auth-file", `${pki}/tokens.csv`, "--authorization-mode", "RBAC"],
        ...["--allow-privileged", "--profiling=false"],
        ...this.#options.flags ?? [],
      ]),
      logFile: `${this.#directory}/apiserver.log`,
    });
    const server = this.#server;
    await until(async () => {
      if (server.status !== undefined) throw new GiveUp(await server.tail());
      return (await this.request("GET", "/readyz")).status === 200;
    }, { what: "kube-apiserver to be ready", timeoutMs: 90_000, intervalMs: 200 });
  }

  /** Kills the API server, as a crash would. */
  async killServer(): Promise<void> {
    await this.#server?.kill();
  }

  /** Stops and continues it: connections are taken, nothing is answered. */
  freeze(frozen: boolean): void {
    this.#server?.signal(frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Makes a request; status 0 if there is no answer. */
  async request(
    method: string,
    path: string,
    { body, contentType = "application/json", token = ADMIN }: ApiRequestOptions = {},
  ): Promise<ApiAnswer> {
    const { stdout } = await runCommand(
      onHost(this.#host, [
        ...["curl", "-sk", "--noproxy", "*", "--max-time", "10", "-X", method],
        ...["-H", `authorization: Bearer ${token}`, "-H", `content-type: ${contentType}`],
        ...(body === undefined ? [] : ["--data-binary", JSON.stringify(body)]),
        ...["-w", "\n%{http_code}", `${this.url}${path}`],
      ]),
      { allowFailure: true },
    );
    const end = stdout.lastIndexOf("\n");
    const text = stdout.slice(0, end);
    return {
      status: Number(stdout.slice(end + 1)),
      body: text.startsWith("{") ? JSON.parse(text) : text,
    };
  }

  /** As {@link request}. @throws {Error} for any answer but 2xx. */
  async do(method: string, path: string, options: ApiRequestOptions = {}): Promise<ApiAnswer> {
    const answer = await this.request(method, path, options);
    if (answer.status < 200 || answer.status > 299) {
      const said = answer.body?.message ?? answer.body;
      throw new Error(`${method} ${path} was answered ${answer.status}: ${said}`);
    }
    return answer;
  }

  /** A token of a service account, as the kubelet gets it for a pod. */
  async tokenOf(
    { namespace, name, pod }: {
      namespace: string;
      name: string;
      pod?: { name: string; uid: string };
    },
  ): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const boundObjectRef = pod === undefined ? {} : {
      boundObjectRef: { apiVersion: "v1", kind: "Pod", ...pod },
    };
    const { body } = await this.do("POST", path, {
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 3600, ...boundObjectRef },
      },
    });
    return body.status.token;
  }

  /** Runs helm as the administrator. */
  async helm(...args: string[]): Promise<string> {
    const { stdout } = await runCommand(
      onHost(this.#host, [this.#programs.helm, "--kubeconfig", this.kubeconfig, ...args]),
      { timeoutMs: 120_000 },
    );
    return stdout;
  }

  /**
   * Applies manifests on the server's side, without keeping anything.
   *
   * @returns the kinds that were applied.
   * @throws {Error} if the server refuses one of them.
   */
  async applyDry(manifests: string, namespace: string): Promise<string[]> {
    const kinds: string[] = [];
    for (const document of parseAllDocuments(manifests)) {
      const object = document.toJS();
      if (object === null) continue;
      await this.do("PATCH", pathOf(object, namespace), {
        body: object,
        contentType: "application/apply-patch+yaml",
      });
      kinds.push(object.kind);
    }
    return kinds;
  }

  async tail(): Promise<string> {
    return [await this.#etcd?.tail(8), await this.#server?.tail()].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.#etcd?.[Symbol.asyncDispose]();
  }

  async #makeKeys(): Promise<void> {
    const pki = `${this.#directory}/pki`;
    await runCommand(["openssl", "genrsa", "-out", `${pki}/sa.key`, "2048"]);
    await runCommand([
      "openssl",
      "rsa",
      "-in",
      `${pki}/sa.key`,
      "-pubout",
      "-out",
      `${pki}/sa.pub`,
    ]);
    const users = [`${ADMIN},admin,admin,system:masters`, ...this.#options.users ?? []];
    await Deno.writeTextFile(`${pki}/tokens.csv`, users.map((line) => `${line}\n`).join(""));
  }

  /** A kubeconfig with a token. */
  async kubeconfigOf(token: string): Promise<string> {
    const ca = btoa(await Deno.readTextFile(this.caFile));
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "lab",
      clusters: [{
        name: "lab",
        cluster: { server: this.url, "certificate-authority-data": ca },
      }],
      users: [{ name: "admin", user: { token } }],
      contexts: [{ name: "lab", context: { cluster: "lab", user: "admin" } }],
    });
  }
}

const CLUSTER_WIDE = /^(Namespace|Cluster.*|ValidatingAdmissionPolicy.*)$/;

function pathOf(
  { apiVersion, kind, metadata }: { apiVersion: string; kind: string; metadata: { name: string } },
  namespace: string,
): string {
  const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = CLUSTER_WIDE.test(kind) ? "" : `/namespaces/${namespace}`;
  const lower = kind.toLowerCase();
  const plural = lower.endsWith("y") ? `${lower.slice(0, -1)}ies` : `${lower}s`;
  return `${base}${scope}/${plural}/${metadata.name}?dryRun=All&fieldManager=lab&force=true`;
}
