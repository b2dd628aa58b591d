import type * as Client from "@kubernetes/client-node";
import type { DaemonSetObject, EndpointSlice, NodeObject, PodObject } from "./api.ts";

/** The objects of the client library, reduced to what Eddy uses. */

export function toNode({ metadata, spec }: Client.V1Node): NodeObject {
  return {
    name: metadata?.name ?? "",
    labels: metadata?.labels ?? {},
    taints: (spec?.taints ?? []).map(({ key, effect, value }) => {
      return { key, effect, ...(value === undefined ? {} : { value }) };
    }),
  };
}

export function toEndpointSlice(slice: Client.V1EndpointSlice): EndpointSlice {
  return {
    addressType: slice.addressType,
    ports: (slice.ports ?? []).flatMap(({ name, port }) => {
      return port === undefined ? [] : [{ name: name ?? "", port }];
    }),
    // Null in slices whose last endpoint was removed.
    endpoints: (slice.endpoints ?? []).map(({ addresses, conditions, targetRef }) => ({
      addresses,
      terminating: conditions?.terminating === true,
      ...(targetRef?.uid === undefined ? {} : { uid: targetRef.uid }),
    })),
  };
}

export function toDaemonSet({ metadata, spec, status }: Client.V1DaemonSet): DaemonSetObject {
  // The counts of an older form say nothing of this one.
  const isCounted = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 1);
  return {
    desired: isCounted ? status?.desiredNumberScheduled : undefined,
    selector: spec?.selector.matchLabels ?? {},
  };
}

export function toPod({ metadata, spec, status }: Client.V1Pod): PodObject {
  const node = spec?.nodeName ?? intendedNode(spec);
  const waits = status?.containerStatuses?.[0]?.state?.waiting?.reason;
  const phase = status?.phase ?? "Pending";
  return {
    name: metadata?.name ?? "",
    phase: waits === undefined ? phase : `${phase}, ${waits}`,
    ...(node === undefined ? {} : { node }),
    // A pod that has ended keeps its address, which may be another one's by now.
    ...(status?.podIP && phase === "Running" ? { address: status.podIP } : {}),
  };
}

/** The controller of DaemonSets ties each pod to its node by the node's name. */
function intendedNode(spec: Client.V1PodSpec | undefined): string | undefined {
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms ?? [];
  return terms.flatMap(({ matchFields = [] }) => matchFields)
    .find(({ key }) => key === "metadata.name")?.values?.[0];
}
