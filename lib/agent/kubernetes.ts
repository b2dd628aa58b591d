import { inBackground } from "../async/in_background.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { createKubernetesApi, isInCluster } from "../kubernetes/create_api.ts";
import { NodeFollower } from "../kubernetes/node_follower.ts";
import type { NodeTopology } from "../kubernetes/topology.ts";
import type { Runtime } from "../ports/runtime.ts";

/** The agent's use of the API server. Nothing waits for it. */
export interface Kubernetes {
  /**
   * The API client, for bootstrap.
   *
   * @throws {ConfigError} if no way to reach the API server is configured.
   */
  api(): KubernetesApi;
  /** Zone and region of the node; undefined until they are known. */
  topology(): NodeTopology | undefined;
  /** Starts to follow the node, if configured; returns a function that stops it. */
  follow(ready: () => boolean): () => Promise<void>;
}

/**
 * Prepares the features that need the API server. The client library is loaded on first use.
 *
 * @throws {ConfigError} if such a feature is on, but no way to reach the API server is configured.
 */
export function createKubernetes(
  config: Config,
  { log, clock }: Pick<Runtime, "clock" | "log">,
): Kubernetes {
  const { kubeconfig, nodeName, startupTaint, nodeTopology } = config;
  let shared: KubernetesApi | undefined;
  const api = () => {
    if (kubeconfig === undefined && !isInCluster()) {
      throw new ConfigError(
        "--kubeconfig: not set, want the path of a kubeconfig: this process is not in a pod, so it " +
          "has no service account (KUBERNETES_SERVICE_HOST is not set)",
      );
    }
    shared ??= createKubernetesApi({ kubeconfig });
    return shared;
  };
  const isFollowed = nodeName !== undefined && (startupTaint !== undefined || nodeTopology);
  const follower = isFollowed
    ? new NodeFollower({ api: api(), clock, log }, { node: nodeName, startupTaint })
    : undefined;
  return {
    api,
    topology: () => follower?.topology,
    follow: (ready) =>
      inBackground(
        async (options) => await follower?.run({ ...options, ready }),
        (error) => log.error("the node is no longer watched", { error }),
      ),
  };
}
