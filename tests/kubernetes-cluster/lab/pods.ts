import type { ApiAnswer } from "../../e2e/kubernetes/api_server.ts";
import type { PullSecret } from "../../e2e/lab/cri_images.ts";
import { until } from "../../e2e/lab/until.ts";
import { UPSTREAM } from "../../e2e/lab/upstream.ts";
import type { KubernetesCluster } from "./cluster.ts";
import type { ClusterNode } from "./node.ts";

/** A pod of one container. */
export interface PodOptions {
  readonly name: string;
  readonly node: ClusterNode;
  /** Reference of the image. */
  readonly image: string;
  /** Default: `IfNotPresent`. */
  readonly pullPolicy?: "Always" | "IfNotPresent" | "Never";
  /** Name of a Secret for the pull. */
  readonly pullSecret?: string;
  /** Default: `default`. */
  readonly namespace?: string;
}

/** What the kubelet and others said of a pod. */
export interface PodEvent {
  readonly reason: string;
  readonly message: string;
}

/** Runs pods on nodes of the test's choice. */
export class Pods {
  readonly #cluster: KubernetesCluster;

  constructor(cluster: KubernetesCluster) {
    this.#cluster = cluster;
  }

  /** Makes a pod; it is not waited for. */
  async create(pod: PodOptions): Promise<void> {
    const { name, node, image, pullPolicy = "IfNotPresent", pullSecret, namespace } = pod;
    const body = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: {
        nodeSelector: { "kubernetes.io/hostname": node.name },
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        ...pullSecret === undefined ? {} : { imagePullSecrets: [{ name: pullSecret }] },
        containers: [{ name: "pause", image, imagePullPolicy: pullPolicy }],
      },
    };
    // A namespace takes pods once controllers have made its service account.
    await until(async () => {
      await this.#cluster.control.api.do("POST", path(namespace), { body });
      return true;
    }, { what: `pod ${name} to be made` });
  }

  /** Makes a Secret by which pods pull from upstream. */
  async createPullSecret(
    name: string,
    { username, password }: PullSecret,
    namespace = "default",
  ): Promise<void> {
    const auth = btoa(`${username}:${password}`);
    await this.#cluster.control.api.do("POST", `/api/v1/namespaces/${namespace}/secrets`, {
      body: {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name },
        type: "kubernetes.io/dockerconfigjson",
        stringData: { ".dockerconfigjson": JSON.stringify({ auths: { [UPSTREAM]: { auth } } }) },
      },
    });
  }

  /**
   * Runs a pod until it is ready.
   *
   * @returns how long that took, ms.
   */
  async run(pod: PodOptions, timeoutMs = 60_000): Promise<number> {
    const start = performance.now();
    await this.create(pod);
    await this.untilReady(pod.name, { timeoutMs, ...pod });
    return performance.now() - start;
  }

  async untilReady(
    name: string,
    { namespace, timeoutMs = 60_000 }: { namespace?: string; timeoutMs?: number } = {},
  ): Promise<void> {
    const wait = until(async () => {
      const { body } = await this.#get(name, namespace);
      const conditions: { type: string; status: string }[] = body.status.conditions ?? [];
      return conditions.some(({ type, status }) => type === "Ready" && status === "True");
    }, { what: `pod ${name} to be ready`, timeoutMs, intervalMs: 100 });
    await wait.catch(async (error) => {
      const events = (await this.events(name, namespace)).map(({ message }) => `    ${message}`);
      throw new Error(`${error}\n${events.join("\n")}`);
    });
  }

  /** Waits until the kubelet says that it cannot pull a pod's image. @returns its words. */
  async untilPullFailed(name: string, namespace?: string): Promise<string> {
    const { value } = await until(async () => {
      const events = await this.events(name, namespace);
      return events.find(({ message }) => /^Failed to pull image/.test(message))?.message;
    }, { what: `the pull of pod ${name} to fail`, timeoutMs: 60_000, intervalMs: 100 });
    return value;
  }

  /** What was said of a pod so far. */
  async events(name: string, namespace = "default"): Promise<PodEvent[]> {
    const selector = `fieldSelector=involvedObject.name%3D${name}`;
    const { body } = await this.#cluster.control.api.do(
      "GET",
      `/api/v1/namespaces/${namespace}/events?${selector}`,
    );
    return body.items.map(({ reason, message }: PodEvent) => ({ reason, message }));
  }

  /** Deletes a pod and waits until it is gone. */
  async delete(name: string, namespace?: string): Promise<void> {
    const { api } = this.#cluster.control;
    await api.do("DELETE", `${path(namespace)}/${name}?gracePeriodSeconds=0`);
    await until(async () => {
      return (await api.request("GET", `${path(namespace)}/${name}`)).status === 404;
    }, { what: `pod ${name} to be gone` });
  }

  #get(name: string, namespace?: string): Promise<ApiAnswer> {
    return this.#cluster.control.api.do("GET", `${path(namespace)}/${name}`);
  }
}

function path(namespace = "default"): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}
