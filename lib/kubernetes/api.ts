import type { Cancellable } from "../ports/cancellable.ts";

/** A taint of a node (core/v1 Taint). */
export interface Taint {
  readonly key: string;
  readonly effect: string;
  readonly value?: string;
}

/** What is used of a node object. */
export interface NodeObject {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

/** An operation of a JSON patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** Which endpoint slices to list, and from where on. */
export interface EndpointSliceQuery {
  /** Undefined: the namespace of the pod or of the kubeconfig's context. */
  readonly namespace: string | undefined;
  readonly service: string;
  /** Slices in one answer at most. */
  readonly limit: number;
  /** As the answer before said. */
  readonly continueAt?: string;
}

/** An endpoint of a service (discovery.k8s.io/v1 Endpoint). */
export interface Endpoint {
  /** Same for all endpoints of one pod; undefined if it stands for no object. */
  readonly uid?: string;
  readonly addresses: readonly string[];
  /** True while its pod is being ended. */
  readonly terminating: boolean;
}

/** A part of a service's endpoints (discovery.k8s.io/v1 EndpointSlice). */
export interface EndpointSlice {
  readonly addressType: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly Endpoint[];
}

/** One answer to an {@link EndpointSliceQuery}. */
export interface EndpointSlicePage {
  readonly slices: readonly EndpointSlice[];
  /** Undefined: these were the last ones. */
  readonly continueAt?: string;
}

/**
 * The calls of the API server that Eddy makes. Each has a deadline of its own and rejects with an
 * {@link ApiError}, or with the signal's reason when that aborts.
 */
export interface KubernetesApi {
  readNode(name: string, options: Cancellable): Promise<NodeObject>;
  /** Changes a node; all operations or none. `conflict` if a `test` does not hold. */
  patchNode(
    name: string,
    patch: readonly PatchOperation[],
    options: Cancellable,
  ): Promise<NodeObject>;
  listEndpointSlices(query: EndpointSliceQuery, options: Cancellable): Promise<EndpointSlicePage>;
}
