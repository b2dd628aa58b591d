import type { Cancellable } from "../ports/cancellable.ts";
import type { KubernetesApi, NodeObject, PatchOperation } from "./api.ts";
import { ApiError } from "./api_error.ts";

/** Immediate retries after concurrent changes of the node. */
const MAX_CONFLICTS = 5;

/** Result of {@link removeTaint}. */
export interface TaintRemoval {
  /** The node afterwards. */
  readonly node: NodeObject;
  /** Effects of the removed taints; empty if the node had none with this key. */
  readonly removed: readonly string[];
}

/**
 * Removes all taints with a key from a node, and nothing else: each operation first tests that the
 * taint is still at its index; if not, the node is read again.
 *
 * @throws {ApiError} if the node cannot be read or changed.
 */
export async function removeTaint(
  api: KubernetesApi,
  { node: name, key }: { readonly node: string; readonly key: string },
  options: Cancellable,
): Promise<TaintRemoval> {
  for (let conflicts = 0;; conflicts++) {
    const node = await api.readNode(name, options);
    const removed = node.taints.filter((taint) => taint.key === key).map(({ effect }) => effect);
    if (removed.length === 0) return { node, removed };
    try {
      return { node: await api.patchNode(name, removalPatch(node, key), options), removed };
    } catch (error) {
      const isConflict = error instanceof ApiError && error.kind === "conflict";
      if (!isConflict || conflicts >= MAX_CONFLICTS) throw error;
    }
  }
}

/** From last to first, so that no removal shifts the remaining ones. */
function removalPatch({ taints }: NodeObject, key: string): PatchOperation[] {
  return taints
    .map((taint, index) => ({ taint, path: `/spec/taints/${index}` }))
    .filter(({ taint }) => taint.key === key)
    .reverse()
    .flatMap(({ taint, path }): PatchOperation[] => [
      // Key and effect identify a taint: its value and time may change freely.
      { op: "test", path: `${path}/key`, value: key },
      { op: "test", path: `${path}/effect`, value: taint.effect },
      { op: "remove", path },
    ]);
}
