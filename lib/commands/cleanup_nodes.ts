import { get } from "node:http";
import { deadline } from "../async/deadline.ts";
import { mapConcurrent } from "../async/map_concurrent.ts";
import { messageOf } from "../async/thrown.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import { resolveHost } from "../router/bootstrap/resolve_host.ts";

/** Timeout of one node's answer, ms. */
const PROBE_TIMEOUT_MS = 1000;
/** Timeout of the name's resolution, ms. */
const RESOLVE_TIMEOUT_MS = 5000;
/** Nodes that are asked concurrently. */
const PROBED_AT_ONCE = 10;
/** Bound of the nodes that a message names. */
const NAMED = 20;

/** A node that has to clean up. */
interface CleanedNode {
  /** As it is shown: its name in Kubernetes, or its address. */
  readonly name: string;
  /** Where it answers; undefined: nowhere yet. */
  readonly address: string | undefined;
  /** Why it has no address. */
  readonly reason: string;
}

/** The nodes of a cluster that have to clean up. */
export interface CleanedNodes {
  readonly nodes: readonly CleanedNode[];
  /** Why the list is not complete; undefined: it is. */
  readonly incomplete?: string | undefined;
}

/** Lists the nodes; rejects if they cannot be known now. */
export type ListNodes = (options: Cancellable) => Promise<CleanedNodes>;

/** How far the nodes are. */
export interface Progress {
  /** Number of nodes that are known. */
  readonly nodes: number;
  /** What is missing; undefined if all nodes have cleaned up. */
  readonly problem?: string;
}

/** All addresses of a name, such as a headless service's: nodes whose pods have started. */
export function nodesByName(host: string): ListNodes {
  return async (options) => {
    using limit = deadline(RESOLVE_TIMEOUT_MS, options);
    try {
      const addresses = await resolveHost(host, limit);
      return { nodes: addresses.map((address) => ({ name: address, address, reason: "" })) };
    } catch (error) {
      options.signal.throwIfAborted();
      throw new Error(`${host} has no addresses (${messageOf(error)})`);
    }
  };
}

/** All nodes that a DaemonSet is to run on, with or without a pod that has started. */
export function nodesOfDaemonSet(
  api: Pick<KubernetesApi, "readDaemonSet" | "listPods">,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): ListNodes {
  return async (options) => {
    const { desired, selector } = await api.readDaemonSet(namespace, name, options);
    if (desired === undefined) {
      return { nodes: [], incomplete: `DaemonSet ${name} is not counted yet` };
    }
    const pods = await api.listPods(namespace, selector, options);
    const nodes = pods.map(({ node, address, phase, name }) => ({
      name: node ?? `the node of pod ${name}`,
      address,
      reason: `its pod is ${phase}`,
    }));
    const absent = desired - nodes.length;
    return {
      nodes,
      incomplete: absent > 0 ? `${absent} of ${desired} pods are still to be made` : undefined,
    };
  };
}

/** Asks all nodes whether they have cleaned up. Rejects only when the signal aborts. */
export async function askNodes(
  list: ListNodes,
  port: number,
  options: Cancellable,
): Promise<Progress> {
  let known: CleanedNodes;
  try {
    known = await list(options);
  } catch (error) {
    options.signal.throwIfAborted();
    return { nodes: 0, problem: messageOf(error) };
  }
  const { nodes, incomplete } = known;
  const findings = await mapConcurrent(
    nodes,
    PROBED_AT_ONCE,
    async ({ name, address, reason }) => {
      const problem = address === undefined ? reason : await probe(address, port, options);
      return problem === undefined ? [] : [`${name} (${problem})`];
    },
  );
  options.signal.throwIfAborted();
  const missed = findings.flat();
  const count = nodes.length;
  const parts = [
    ...(missed.length === 0 ? [] : [`${missed.length} of ${count} nodes: ${named(missed)}`]),
    ...(incomplete === undefined ? [] : [incomplete]),
  ];
  return parts.length === 0 ? { nodes: count } : { nodes: count, problem: parts.join("; ") };
}

function named(missed: readonly string[]): string {
  const rest = missed.length - NAMED;
  const names = missed.toSorted().slice(0, NAMED).join(", ");
  return rest > 0 ? `${names} and ${rest} more` : names;
}

/** Asks a node directly, even if the environment names a proxy. Does not reject. */
function probe(
  address: string,
  port: number,
  options: Cancellable,
): Promise<string | undefined> {
  const limit = deadline(PROBE_TIMEOUT_MS, options);
  return new Promise<string | undefined>((resolve) => {
    const { signal } = limit;
    get({ host: address, port, path: "/readyz", agent: false, signal }, (response) => {
      response.resume();
      const { statusCode } = response;
      resolve(statusCode === 200 ? undefined : `status ${statusCode}`);
    }).on("error", () => resolve("no answer"));
  }).finally(() => limit[Symbol.dispose]());
}
