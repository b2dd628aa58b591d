import { ApiServer } from "../../e2e/kubernetes/api_server.ts";
import { ManagedProcess } from "../../e2e/lab/managed_process.ts";
import { type Host, onHost } from "../../e2e/lab/network.ts";
import { DNS_SERVICE } from "./node_files.ts";
import type { ClusterPrograms } from "./programs.ts";

/** Settings of {@link ControlPlane}. */
export interface ControlPlaneOptions {
  readonly host: Host;
  readonly directory: string;
  readonly programs: ClusterPrograms;
  /** Names of the nodes that may register. */
  readonly nodes: readonly string[];
  /** Names outside of the cluster that its DNS knows, by address. */
  readonly names: Readonly<Record<string, string>>;
  /** Whether its DNS may answer with what it knew of the cluster up to 30 s ago. */
  readonly cachesDns: boolean;
}

/** How long a node may be silent before it counts as not ready, s. */
const SILENCE_SECONDS = 10;

/** API server, controllers, scheduler and DNS of a cluster, all real, on one host of the lab. */
export class ControlPlane implements AsyncDisposable {
  readonly api: ApiServer;
  readonly #options: ControlPlaneOptions;
  readonly #processes: ManagedProcess[] = [];

  constructor(options: ControlPlaneOptions) {
    const { host, directory, programs, nodes } = options;
    this.#options = options;
    this.api = new ApiServer(host, `${directory}/api`, programs, {
      flags: [
        ...["--authorization-mode", "Node", "--enable-admission-plugins", "NodeRestriction"],
        ...["--endpoint-reconciler-type", "lease", "--bind-address", "0.0.0.0"],
        ...["--storage-media-type", "application/vnd.kubernetes.protobuf"],
        ...["--kubelet-preferred-address-types", "InternalIP"],
      ],
      users: [
        "kcm,system:kube-controller-manager,2",
        "scheduler,system:kube-scheduler,3",
        "proxy,system:kube-proxy,4",
        ...nodes.map((name) => `${name},system:node:${name},node-${name},system:nodes`),
      ],
    });
  }

  /** Starts everything. */
  async start(): Promise<void> {
    const { directory, programs } = this.#options;
    await this.api.start();
    this.#start("controllers", [
      ...[programs.controllerManager, "--kubeconfig", await this.#access("kcm")],
      ...["--service-account-private-key-file", this.api.serviceAccountKeyFile],
      ...["--root-ca-file", this.api.caFile, "--use-service-account-credentials"],
      ...["--leader-elect=false", "--node-monitor-period=1s"],
      `--node-monitor-grace-period=${SILENCE_SECONDS}s`,
    ]);
    this.#start("scheduler", [
      ...[programs.scheduler, "--kubeconfig", await this.#access("scheduler")],
      "--leader-elect=false",
    ]);
    await Deno.writeTextFile(`${directory}/Corefile`, this.#corefile());
    this.#start("dns", [programs.dns, "-conf", `${directory}/Corefile`]);
    await this.#createDnsService();
  }

  async tail(): Promise<string> {
    const tails = await Promise.all(this.#processes.map((process) => process.tail(8)));
    return [await this.api.tail(), ...tails].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
  }

  #start(name: string, argv: readonly string[]): void {
    const { host, directory } = this.#options;
    this.#processes.push(
      ManagedProcess.start({
        name,
        argv: onHost(host, argv),
        logFile: `${directory}/${name}.log`,
        noise: /^I\d{4} /,
      }),
    );
  }

  /** @returns the file of a kubeconfig for the user whose token this is. */
  async #access(token: string): Promise<string> {
    const file = `${this.#options.directory}/${token}.kubeconfig`;
    await Deno.writeTextFile(file, await this.api.kubeconfigOf(token));
    return file;
  }

  #corefile(): string {
    // As kubeadm 1.34 has it. Elsewhere all is cached.
    const uncached = " {\n    disable success cluster.local\n    disable denial cluster.local\n  }";
    const hosts = Object.entries(this.#options.names).map(([name, address]) =>
      `    ${address} ${name}`
    );
    return `.:53 {
  errors
  cache 30${this.#options.cachesDns ? "" : uncached}
  hosts {
${hosts.join("\n")}
    ttl 5
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${this.api.kubeconfig}
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 30
  }
  template ANY ANY . {
    rcode NXDOMAIN
  }
}
`;
  }

  /** The DNS is no pod: its endpoints are written by hand. */
  async #createDnsService(): Promise<void> {
    const ports = [{ name: "dns", port: 53, protocol: "UDP" }, {
      name: "dns-tcp",
      port: 53,
      protocol: "TCP",
    }];
    const metadata = { name: "kube-dns", namespace: "kube-system" };
    await this.api.do("POST", "/api/v1/namespaces/kube-system/services", {
      body: {
        apiVersion: "v1",
        kind: "Service",
        metadata,
        spec: { clusterIP: DNS_SERVICE, ports },
      },
    });
    await this.api.do(
      "POST",
      "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
      {
        body: {
          apiVersion: "discovery.k8s.io/v1",
          kind: "EndpointSlice",
          metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kube-dns" } },
          addressType: "IPv4",
          ports,
          endpoints: [{
            addresses: [this.#options.host.address],
            conditions: { ready: true },
          }],
        },
      },
    );
  }
}
