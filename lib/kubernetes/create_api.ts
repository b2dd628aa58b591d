import process from "node:process";
import type * as Client from "@kubernetes/client-node";
import { deadline } from "../async/deadline.ts";
import { untilAborted } from "../async/until_aborted.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { EndpointSlicePage, EndpointSliceQuery, KubernetesApi, PodObject } from "./api.ts";
import { ApiError, toApiError } from "./api_error.ts";
import { toDaemonSet, toEndpointSlice, toNode, toPod } from "./objects.ts";

export interface KubernetesApiOptions {
  /** Kubeconfig file; undefined: the service account of the pod. */
  readonly kubeconfig?: string | undefined;
  /** Deadline of a call, ms; default 5000. */
  readonly timeoutMs?: number;
}

/** Tells whether this process runs in a pod with a known API server. */
export function isInCluster(): boolean {
  return Boolean(process.env["KUBERNETES_SERVICE_HOST"]);
}

/**
 * Makes the client of the API server. The client library, the kubeconfig and the service account's
 * token are loaded at the first call: a file that is missing at the start may appear later.
 */
export function createKubernetesApi(options: KubernetesApiOptions = {}): KubernetesApi {
  const { kubeconfig, timeoutMs = 5000 } = options;
  let connected: Promise<Connection> | undefined;
  /** Runs one call within its deadline. */
  const call = async <T>(
    action: string,
    { signal }: Cancellable,
    run: (connection: Connection, options: CallOptions) => Promise<T>,
  ): Promise<T> => {
    signal.throwIfAborted();
    connected ??= connect(kubeconfig);
    const attempt = connected;
    let server: string | undefined;
    using limit = deadline(timeoutMs, { signal });
    try {
      const connection = await untilAborted(attempt, limit.signal);
      server = connection.server;
      return await untilAborted(
        run(connection, callOptions(connection, limit.signal)),
        limit.signal,
      );
    } catch (error) {
      // A kubeconfig that could not be read may be readable next time.
      if (server === undefined && connected === attempt) connected = undefined;
      signal.throwIfAborted();
      throw toApiError(action, server, limit.signal.aborted ? limit.signal.reason : error);
    }
  };
  return {
    readNode: (name, cancellable) =>
      call(`read node ${name}`, cancellable, async ({ core }, options) => {
        return toNode(await core.readNode({ name }, options));
      }),
    patchNode: (name, patch, cancellable) =>
      call(`change node ${name}`, cancellable, async ({ core }, options) => {
        return toNode(await core.patchNode({ name, body: patch }, options));
      }),
    listEndpointSlices: (query, cancellable) =>
      call(`list the endpoints of ${query.service}`, cancellable, async (connection, options) => {
        return await listEndpointSlices(connection, query, options);
      }),
    readDaemonSet: (namespace, name, cancellable) =>
      call(`read DaemonSet ${namespace}/${name}`, cancellable, async ({ apps }, options) => {
        return toDaemonSet(await apps.readNamespacedDaemonSet({ namespace, name }, options));
      }),
    listPods: (namespace, labels, cancellable) =>
      call(`list pods of ${namespace}`, cancellable, async (connection, options) => {
        return await listPods(connection, { namespace, labels }, options);
      }),
  };
}

interface Connection {
  readonly apps: Client.AppsV1Api;
  readonly core: Client.CoreV1Api;
  readonly discovery: Client.DiscoveryV1Api;
  readonly server: string;
  /** Namespace of the pod, or of the kubeconfig's context. */
  readonly namespace: string;
  /** Wraps a value for the library's middleware. */
  readonly observable: <T>(value: T) => Client.Observable<T>;
}

async function connect(kubeconfig: string | undefined): Promise<Connection> {
  // The library's HTTP client uses a deprecated built-in, which is not worth a log line.
  process.noDeprecation = true;
  const { AppsV1Api, CoreV1Api, DiscoveryV1Api, KubeConfig, Observable } = await import(
    "./client_node.ts"
  );
  const config = new KubeConfig();
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
  else config.loadFromCluster();
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) {
    throw new ApiError("other", `${kubeconfig} names no cluster in its current context`);
  }
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  return {
    apps: config.makeApiClient(AppsV1Api),
    core: config.makeApiClient(CoreV1Api),
    discovery: config.makeApiClient(DiscoveryV1Api),
    server,
    namespace: namespace?.trim() || "default",
    observable: (value) => new Observable(Promise.resolve(value)),
  };
}

type CallOptions = Client.ConfigurationOptions;

async function listEndpointSlices(
  { discovery, namespace }: Connection,
  query: EndpointSliceQuery,
  options: CallOptions,
): Promise<EndpointSlicePage> {
  const list = await discovery.listNamespacedEndpointSlice({
    namespace: query.namespace ?? namespace,
    labelSelector: `kubernetes.io/service-name=${query.service}`,
    limit: query.limit,
    ...(query.continueAt === undefined ? {} : { _continue: query.continueAt }),
  }, options);
  const continueAt = list.metadata?._continue;
  return { slices: list.items.map(toEndpointSlice), ...(continueAt ? { continueAt } : {}) };
}

async function listPods(
  { core }: Connection,
  { namespace, labels }: { namespace: string; labels: Readonly<Record<string, string>> },
  options: CallOptions,
): Promise<PodObject[]> {
  const labelSelector = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join();
  const list = await core.listNamespacedPod({ namespace, labelSelector }, options);
  return list.items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined).map(toPod);
}

/** The library accepts a signal only in a middleware. */
function callOptions({ observable }: Connection, signal: AbortSignal): CallOptions {
  return {
    middleware: [{
      pre(context) {
        context.setSignal(signal);
        return observable(context);
      },
      post: observable,
    }],
    middlewareMergeStrategy: "append",
  };
}
