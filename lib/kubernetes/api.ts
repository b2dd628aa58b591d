import type { Cancellable } from "../ports/cancellable.ts";

/** A taint of a node (core/v1 Taint). */
export interface Taint {
  readonly key: string;
  readonly effect: string;
  readonly value?: string;
}

/** The used parts of a node object. */
export interface NodeObject {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

/** An operation of a JSON patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** A query for endpoint slices. */
export interface EndpointSliceQuery {
  /** Undefined: the namespace of the pod or of the kubeconfig's context. */
  readonly namespace: string | undefined;
  readonly service: string;
  /** Maximum slices per page. */
  readonly limit: number;
  /** Continue token of the previous page. */
  readonly continueAt?: string;
}

/** An endpoint of a service (discovery.k8s.io/v1 Endpoint). */
export interface Endpoint {
  /** UID of the target pod; undefined if the endpoint has no target. */
  readonly uid?: string;
  readonly addresses: readonly string[];
  /** True while its pod is terminating. */
  readonly terminating: boolean;
}

/** A part of a service's endpoints (discovery.k8s.io/v1 EndpointSlice). */
export interface EndpointSlice {
  readonly addressType: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly Endpoint[];
}

/** One page of an {@link EndpointSliceQuery}. */
export interface EndpointSlicePage {
  readonly slices: readonly EndpointSlice[];
  /** Continue token; undefined on the last page. */
  readonly continueAt?: string;
}

/** The used parts of a DaemonSet (apps/v1). */
export interface DaemonSetObject {
  /**
   * Number of nodes that it is to run on; undefined until its controller has looked at it in its
   * present form.
   */
  readonly desired: number | undefined;
  /** Labels of its pods. */
  readonly selector: Readonly<Record<string, string>>;
}

/** The used parts of a pod (core/v1) that is not about to be removed. */
export interface PodObject {
  readonly name: string;
  /** The node that it runs on or is made for; undefined if it is made for none. */
  readonly node?: string;
  /** Undefined while it has none. */
  readonly address?: string;
  /** `Pending` and so on, with the reason where a container waits for one. */
  readonly phase: string;
}

/**
 * The API server calls that Eddy makes. Each has a deadline and rejects with an {@link ApiError},
 * or with the signal's reason when that aborts.
 */
export interface KubernetesApi {
  readNode(name: string, options: Cancellable): Promise<NodeObject>;
  /** Patches a node atomically; rejects with `conflict` if a `test` fails. */
  patchNode(
    name: string,
    patch: readonly PatchOperation[],
    options: Cancellable,
  ): Promise<NodeObject>;
  listEndpointSlices(query: EndpointSliceQuery, options: Cancellable): Promise<EndpointSlicePage>;
  readDaemonSet(
    namespace: string,
    name: string,
    options: Cancellable,
  ): Promise<DaemonSetObject>;
  /** Lists the pods of a namespace that have all of these labels. */
  listPods(
    namespace: string,
    labels: Readonly<Record<string, string>>,
    options: Cancellable,
  ): Promise<readonly PodObject[]>;
}
