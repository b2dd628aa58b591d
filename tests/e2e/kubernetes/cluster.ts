import { WITHOUT_UPSTREAM } from "../../support/without_upstream.ts";
import { cacheEddy } from "../lab/eddy_command.ts";
import { LAB_PREFIX, Network } from "../lab/network.ts";
import { removeStaleLabs } from "../lab/remove_stale_labs.ts";
import { ApiServer } from "./api_server.ts";
import { Pod } from "./pod.ts";
import type { KubernetesPrograms } from "./programs.ts";

/** Key of the start-up taint in all tests. */
export const TAINT = "eddy.dev/starting";
/** A taint of somebody else. */
const OTHER_TAINT = { key: "dedicated", value: "gpu", effect: "NoSchedule" };
/** Keys that have to stay, and that the API server gives to every new node. */
export const OTHER_TAINTS = [OTHER_TAINT.key, "node.kubernetes.io/not-ready"];
/** Namespace of the release. */
export const NAMESPACE = "eddy-system";
/** The chart. */
export const CHART = new URL("../../../deploy/helm/eddy", import.meta.url).pathname;

const NODES = ["n1", "n2", "n3"];

// deno-lint-ignore no-explicit-any
type Json = any;

/** Machines with a control plane on one of them; the tests stand in for kubelets and controllers. */
export class Cluster implements AsyncDisposable {
  readonly network: Network;
  readonly api: ApiServer;
  readonly #directory: string;
  readonly #pods: Pod[] = [];
  #made = 0;

  private constructor(network: Network, api: ApiServer, directory: string) {
    this.network = network;
    this.api = api;
    this.#directory = directory;
  }

  static async create(programs: KubernetesPrograms): Promise<Cluster> {
    const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
    await removeStaleLabs(temporary);
    await cacheEddy();
    const hosts = ["api", ...NODES];
    const network = await Network.create({ id: "kube", hosts, names: {}, rate: "400mbit" });
    const directory = `${temporary}/${LAB_PREFIX}-${Deno.pid}-kube`;
    const api = new ApiServer(network.host("api"), `${directory}/api`, programs);
    const cluster = new Cluster(network, api, directory);
    try {
      await api.start();
      return cluster;
    } catch (error) {
      const tail = await api.tail();
      await cluster[Symbol.asyncDispose]();
      throw new Error(`the control plane did not start: ${String(error)}\n${tail}`);
    }
  }

  /** Registers a node anew, as its kubelet would, with the start-up taint and one of somebody else. */
  async registerNode(name: string): Promise<void> {
    await this.api.request("DELETE", `/api/v1/nodes/${name}`);
    await this.api.do("POST", "/api/v1/nodes", {
      body: {
        apiVersion: "v1",
        kind: "Node",
        metadata: {
          name,
          labels: {
            "topology.kubernetes.io/zone": `zone-${name}`,
            "topology.kubernetes.io/region": "lab",
          },
        },
        spec: { taints: [OTHER_TAINT, { key: TAINT, effect: "NoSchedule" }] },
      },
    });
  }

  /** Keys of the taints that a node has. */
  async taintsOf(name: string): Promise<string[]> {
    const { body } = await this.api.do("GET", `/api/v1/nodes/${name}`);
    return (body.spec.taints ?? []).map(({ key }: Json) => key).sort();
  }

  /**
   * The pod that a DaemonSet wants on a node: registered, not started. Its directories are the
   * lab's: of its own, or those of another pod that ran on the node.
   */
  async pod(daemonSet: string, node: string, after?: Pod): Promise<Pod> {
    const { spec } = await this.#daemonSet(daemonSet);
    const [container] = spec.template.spec.containers;
    const env = this.#environment(container.env ?? [], node);
    const directory = after?.directory ??
      `${this.#directory}/${daemonSet}-${node}-${++this.#made}`;
    const args: string[] = container.args.map((arg: string) =>
      arg.replaceAll(/\$\((\w+)\)/g, (_, name) => env[name] ?? "")
    );
    const overrides = [
      `--containerd-registry-config-path=${directory}/certs.d`,
      `--data-dir=${directory}/data`,
    ];
    if (args[0] === "agent") {
      overrides.push(
        ...WITHOUT_UPSTREAM,
        `--store=oci-layout:${directory}/layout`,
      );
      const keyFile = await this.#mountClusterKey(spec.template.spec.volumes, directory);
      if (keyFile !== undefined) overrides.push(`--cluster-key-file=${keyFile}`);
    }
    const name = spec.template.spec.serviceAccountName ?? "default";
    const uid = await this.#registerPod(spec.template, daemonSet, node);
    const pod = new Pod({
      host: this.network.host(node),
      api: this.api,
      directory,
      namespace: NAMESPACE,
      token: spec.template.spec.automountServiceAccountToken === false
        ? ""
        : await this.api.tokenOf(
          { namespace: NAMESPACE, name, pod: { name: `${daemonSet}-${node}`, uid } },
        ),
      args: [...args, ...overrides],
      env,
    });
    this.#pods.push(pod);
    return pod;
  }

  /** Says of a DaemonSet how many nodes it is to run on, as its controller would. */
  async count(daemonSet: string, desired: number): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/${daemonSet}/status`;
    const counts = {
      ...{ desiredNumberScheduled: desired, currentNumberScheduled: desired },
      ...{ numberMisscheduled: 0, numberReady: 0, observedGeneration: 1 },
    };
    await this.#patch(path, { status: counts });
  }

  /** Says of a DaemonSet's pod that it runs, as its kubelet would. */
  async setRunning(daemonSet: string, node: string): Promise<void> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${daemonSet}-${node}/status`;
    const podIP = this.network.host(node).address;
    await this.#patch(path, { status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] } });
  }

  async #patch(path: string, body: unknown): Promise<void> {
    await this.api.do("PATCH", path, { contentType: "application/merge-patch+json", body });
  }

  /** Writes the endpoints of a release's bootstrap service, as the controller would. */
  async publish(release: string, nodes: readonly string[]): Promise<void> {
    const service = `${release}-bootstrap`;
    const base = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`;
    const { body } = await this.api.do(
      "GET",
      `/api/v1/namespaces/${NAMESPACE}/services/${service}`,
    );
    await this.api.request("DELETE", `${base}/${service}-lab`);
    await this.api.do("POST", base, {
      body: {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: {
          name: `${service}-lab`,
          labels: { "kubernetes.io/service-name": service },
        },
        addressType: "IPv4",
        ports: body.spec.ports.map(({ name, port }: Json) => ({ name, port, protocol: "TCP" })),
        endpoints: nodes.map((node) => ({
          addresses: [this.network.host(node).address],
          conditions: { ready: true },
          nodeName: node,
        })),
      },
    });
  }

  /** Stops the pods that were started. */
  async stopPods(): Promise<void> {
    await Promise.all(this.#pods.splice(0).map((pod) => pod[Symbol.asyncDispose]()));
  }

  async tails(): Promise<string> {
    const pods = await Promise.all(this.#pods.map((pod) => pod.tail()));
    return [await this.api.tail(), ...pods].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopPods();
    await this.api[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
  }

  /** Mounts the Secret with the cluster's key as the kubelet does: files are links to `..data`. */
  async #mountClusterKey(volumes: readonly Json[], directory: string): Promise<string | undefined> {
    const volume = volumes.find(({ name }) => name === "cluster-key");
    if (volume === undefined) return undefined;
    const path = `/api/v1/namespaces/${NAMESPACE}/secrets/${volume.secret.secretName}`;
    const { data } = (await this.api.do("GET", path)).body;
    const mount = `${directory}/cluster-key`;
    const version = `..${crypto.randomUUID()}`;
    await Deno.mkdir(`${mount}/${version}`, { recursive: true });
    await Deno.writeTextFile(`${mount}/${version}/cluster.key`, atob(data["cluster.key"]));
    await Deno.symlink(version, `${mount}/..data`);
    await Deno.symlink("..data/cluster.key", `${mount}/cluster.key`);
    return `${mount}/cluster.key`;
  }

  async #daemonSet(name: string): Promise<Json> {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/${name}`;
    return (await this.api.do("GET", path)).body;
  }

  /** Values of a container's variables, as the downward API gives them. */
  #environment(variables: readonly Json[], node: string): Record<string, string> {
    const fields: Record<string, string> = {
      "status.hostIP": this.network.host(node).address,
      "spec.nodeName": node,
    };
    return Object.fromEntries(
      variables.map(({ name, value, valueFrom }) => {
        return [name, value ?? fields[valueFrom.fieldRef.fieldPath]];
      }),
    );
  }

  /** @returns the uid, to which tokens are bound. */
  async #registerPod(template: Json, daemonSet: string, node: string): Promise<string> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
    const name = `${daemonSet}-${node}`;
    const account = template.spec.serviceAccountName ?? "default";
    await this.api.request("POST", `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, {
      body: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account } },
    });
    await this.api.request("DELETE", `${path}/${name}?gracePeriodSeconds=0`);
    const { body } = await this.api.do("POST", path, {
      body: {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, labels: template.metadata.labels },
        spec: { ...template.spec, nodeName: node },
      },
    });
    return body.metadata.uid;
  }
}
