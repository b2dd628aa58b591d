import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { createKubernetesApi, isInCluster } from "../kubernetes/create_api.ts";
import { NodeFollower } from "../kubernetes/node_follower.ts";
import type { NodeTopology } from "../kubernetes/topology.ts";
import type { Runtime } from "../ports/runtime.ts";

/** What the agent does with the API server; nothing of it is ever waited for. */
export interface Kubernetes {
  /**
   * The API server's calls, for bootstrap.
   *
   * @throws {ConfigError} if it is not known how to reach it.
   */
  api(): KubernetesApi;
  /** Where the node is; undefined until that is known. */
  topology(): NodeTopology | undefined;
  /** Begins to follow the node if that is configured; returns how to end it. */
  follow(ready: () => boolean): () => Promise<void>;
}

/**
 * Prepares the features that need an API server. Nothing is loaded until one of them is used.
 *
 * @throws {ConfigError} if one is on and it is not known how to reach the API server.
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
        "--kubeconfig: not set, want the path of a kubeconfig: this is no pod whose service " +
          "account could be used (KUBERNETES_SERVICE_HOST is not set)",
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
    follow(ready) {
      const stop = new AbortController();
      const followed = follower?.run({ signal: stop.signal, ready }).catch((error) => {
        if (!stop.signal.aborted) log.error("the node is no longer followed", { error });
      });
      return async () => {
        stop.abort();
        await followed;
      };
    },
  };
}
