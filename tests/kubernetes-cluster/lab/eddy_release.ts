import type { Digest } from "../../../lib/oci/digest.ts";
import { CHART } from "../../e2e/kubernetes/cluster.ts";
import { httpRequest, type HttpRequestOptions } from "../../e2e/lab/http_request.ts";
import type { Published } from "../../e2e/lab/publish.ts";
import { type Metrics, readMetrics } from "../../e2e/lab/read_metrics.ts";
import type { CommandResult, RunCommandOptions } from "../../e2e/lab/run_command.ts";
import { until } from "../../e2e/lab/until.ts";
import { untilFindable } from "../../e2e/lab/until_findable.ts";
import { UPSTREAM } from "../../e2e/lab/upstream.ts";
import type { KubernetesCluster } from "./cluster.ts";
import type { ClusterNode } from "./node.ts";
import { readImageArchive } from "./read_image_archive.ts";

/** Namespace and name of the release. */
export const NAMESPACE = "eddy";
const NAME = "eddy";
const REPOSITORY = "open/eddy";
const TAG = "0.1.0";
/** Eddy's image at upstream, once it was published, without and with its tag. */
export const IMAGE_REPOSITORY = `${UPSTREAM}/${REPOSITORY}`;
export const IMAGE = `${IMAGE_REPOSITORY}:${TAG}`;
const AGENT = "labelSelector=app.kubernetes.io%2Fcomponent%3Dagent";

/** The agent's pod on a node. */
export interface AgentPod {
  readonly name: string;
  readonly address: string;
  /** Reference of its image. */
  readonly image: string;
  /** How often its container was started again. */
  readonly restarts: number;
  /** What its container may take, e.g. `512Mi`. */
  readonly memoryLimit: string;
}

/** Eddy on the cluster: its image at upstream, its chart as a release. */
export class EddyRelease {
  readonly #cluster: KubernetesCluster;

  constructor(cluster: KubernetesCluster) {
    this.#cluster = cluster;
  }

  /**
   * Installs the chart, and waits until there is a ready agent on all nodes.
   *
   * @param values as `helm --set` takes them.
   * @returns how long that took, ms.
   */
  async install(values: readonly string[] = [], chart = CHART): Promise<number> {
    await this.publishImage();
    const start = performance.now();
    await this.#helm("install", NAME, chart, "--create-namespace", ...settings(values));
    await this.untilRolledOut();
    return performance.now() - start;
  }

  /** Changes the release to other values or another chart, and waits until all agents are new. */
  async upgrade(values: readonly string[] = [], chart = CHART): Promise<void> {
    await this.#helm("upgrade", NAME, chart, ...settings(values));
    await this.untilRolledOut();
  }

  /** Deletes the release. @returns what helm printed. */
  async uninstall(): Promise<string> {
    return await this.#helm("uninstall", NAME, "--wait");
  }

  /** Puts the image that `EDDY_IMAGE` names at upstream. @returns its digest. */
  async publishImage(tag = TAG): Promise<Digest> {
    const image = await readImageArchive(Deno.env.get("EDDY_IMAGE") ?? "");
    await this.#cluster.upstream.add(image, REPOSITORY, tag);
    return image.root.digest;
  }

  /** Replaces all agents, as the chart's update strategy says, and waits until that is done. */
  async restart(): Promise<void> {
    await this.#kubectl(["rollout", "restart", `daemonset/${NAME}`]);
    await this.untilRolledOut();
  }

  async untilRolledOut(): Promise<void> {
    const argv = ["rollout", "status", `daemonset/${NAME}`, "--timeout=120s"];
    await this.#kubectl(argv, { timeoutMs: 130_000 });
  }

  /** The running agent on a node. @throws {Error} if there is none. */
  async agentOn(node: ClusterNode): Promise<AgentPod> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods?${AGENT}` +
      `&fieldSelector=spec.nodeName%3D${node.name}`;
    const { body } = await this.#cluster.control.api.do("GET", path);
    const pod = body.items.find(({ metadata }: { metadata: { deletionTimestamp?: string } }) =>
      metadata.deletionTimestamp === undefined
    );
    if (pod === undefined) throw new Error(`no agent on ${node.name}`);
    const { metadata: { name }, spec: { containers: [container] }, status } = pod;
    return {
      name,
      address: status.podIP,
      image: container.image,
      restarts: status.containerStatuses?.[0]?.restartCount ?? 0,
      memoryLimit: container.resources.limits.memory,
    };
  }

  /** Runs Eddy in the agent's container on a node, e.g. `["doctor"]`. */
  async exec(
    node: ClusterNode,
    args: readonly string[],
    options: RunCommandOptions = {},
  ): Promise<CommandResult> {
    const { name } = await this.agentOn(node);
    return await this.#kubectl(["exec", name, "--", "eddy", ...args], options);
  }

  /** Lines of the log of a node's agent, parsed. */
  async log(node: ClusterNode): Promise<Record<string, unknown>[]> {
    const { name } = await this.agentOn(node);
    const { stdout } = await this.#kubectl(["logs", name]);
    return stdout.split("\n").filter((line) => line.startsWith("{")).map((line) =>
      JSON.parse(line)
    );
  }

  async metrics(node: ClusterNode): Promise<Metrics> {
    return await readMetrics(node.host, 9090, (await this.agentOn(node)).address);
  }

  /** Waits until the agent on a node can get every part of an image, by tag and by digest. */
  async untilFindable(
    node: ClusterNode,
    { image, repository, reference }: Published,
  ): Promise<void> {
    const tag = reference.slice(reference.lastIndexOf(":") + 1);
    const mirror = await this.#mirrorOf(node);
    const request = (path: string, options: HttpRequestOptions = {}) =>
      httpRequest(node.host, `${mirror}${path}`, options);
    await untilFindable({ host: node.host, agent: { request } }, image, { repository, tag });
  }

  /** Has a node pull an image that it lacks, and waits until its agent advertises all of it. */
  async advertised(
    node: ClusterNode,
    { image }: Published,
    pull: () => Promise<unknown>,
  ): Promise<void> {
    const count = async () => (await this.metrics(node)).sum("eddy_advertised_digests");
    const before = await count();
    await pull();
    await until(async () => await count() >= before + image.pulled.length, {
      what: `${node.name} to advertise`,
    });
  }

  /** Waits until the agent on each node knows all others. */
  async untilConnected(nodes: readonly ClusterNode[] = this.#cluster.nodes): Promise<void> {
    for (const node of nodes) {
      await until(async () => {
        const known = (await this.metrics(node)).sum("eddy_peers");
        if (known < nodes.length - 1) throw new Error(`it knows ${known}`);
        return true;
      }, { what: `the agent on ${node.name} to know the others`, timeoutMs: 60_000 });
    }
  }

  /** The most memory that the agent's process on a node had resident so far, MiB. */
  async peakMib(node: ClusterNode): Promise<number> {
    const { stdout } = await node.run(["sh", "-c", 'cat "/proc/$(pgrep -xo eddy)/status"']);
    return Number(/VmHWM:\s+(\d+)/.exec(stdout)?.[1]) / 1024;
  }

  /** State and last log lines of all pods, for failed tests. */
  async tail(): Promise<string> {
    const parts: string[] = [];
    for (
      const argv of [
        ["get", "pods", "--all-namespaces", "-o", "wide"],
        ["get", "events", "--sort-by=.lastTimestamp", "--no-headers"],
        ["logs", `daemonset/${NAME}`, "--tail=15", "--prefix", "--all-pods"],
      ]
    ) {
      const { stdout, stderr } = await this.#kubectl(argv, { allowFailure: true });
      const lines = `${stdout}${stderr}`.trimEnd().split("\n").slice(-30);
      parts.push(`--- kubectl ${argv.slice(0, 2).join(" ")}`);
      parts.push(...lines.map((line) => `    ${line.slice(0, 400)}`));
    }
    return parts.join("\n");
  }

  /** Where a node's containerd reaches the agent, as its configuration says. */
  async #mirrorOf(node: ClusterNode): Promise<string> {
    const text = (await node.hostsFiles())["_default/hosts.toml"] ?? "";
    const [, url] = /^\[host\.['"](http:[^'"]+)/m.exec(text) ?? [];
    if (url === undefined) throw new Error(`${node.name} has no mirror: ${text}`);
    return url;
  }

  #kubectl(argv: readonly string[], options: RunCommandOptions = {}): Promise<CommandResult> {
    return this.#cluster.kubectl(["--namespace", NAMESPACE, ...argv], options);
  }

  #helm(...args: string[]): Promise<string> {
    return this.#cluster.control.api.helm("--namespace", NAMESPACE, ...args);
  }
}

function settings(values: readonly string[]): string[] {
  return [`image.repository=${IMAGE_REPOSITORY}`, ...values]
    .flatMap((value) => ["--set", value]);
}
