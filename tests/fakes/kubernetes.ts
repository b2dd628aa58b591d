import type {
  DaemonSetObject,
  EndpointSlicePage,
  EndpointSliceQuery,
  KubernetesApi,
  NodeObject,
  PatchOperation,
  PodObject,
  Taint,
} from "../../lib/kubernetes/api.ts";
import { ApiError } from "../../lib/kubernetes/api_error.ts";
import type { Cancellable } from "../../lib/ports/cancellable.ts";

/** An API server in memory, with one node; what its calls do can be broken. */
export class FakeKubernetesApi implements KubernetesApi {
  labels: Record<string, string> = {};
  taints: Taint[] = [];
  pages: EndpointSlicePage[] = [];
  daemonSet: DaemonSetObject = { desired: undefined, selector: {} };
  pods: PodObject[] = [];
  /** Every call, in order. */
  readonly calls: string[] = [];
  readonly patches: (readonly PatchOperation[])[] = [];
  readonly queries: EndpointSliceQuery[] = [];
  /** Runs before each call, which fails if it throws. */
  before: (call: string) => void = () => {};

  readNode(name: string, { signal }: Cancellable): Promise<NodeObject> {
    return this.#call("read", signal, () => this.#node(name));
  }

  patchNode(
    name: string,
    patch: readonly PatchOperation[],
    { signal }: Cancellable,
  ): Promise<NodeObject> {
    return this.#call("patch", signal, () => {
      this.patches.push(patch);
      const taints = [...this.taints];
      for (const operation of patch) {
        const match = /^\/spec\/taints\/(\d+)(?:\/(key|effect))?$/.exec(operation.path);
        const index = Number(match?.[1]);
        const taint = taints[index];
        if (taint === undefined) throw new ApiError("conflict", `no taint at ${operation.path}`);
        if (operation.op === "remove") taints.splice(index, 1);
        else if (taint[match?.[2] as "key" | "effect"] !== operation.value) {
          throw new ApiError("conflict", `${operation.path} is not ${operation.value}`);
        }
      }
      this.taints = taints;
      return this.#node(name);
    });
  }

  listEndpointSlices(
    query: EndpointSliceQuery,
    { signal }: Cancellable,
  ): Promise<EndpointSlicePage> {
    return this.#call("list", signal, () => {
      this.queries.push(query);
      return this.pages[Number(query.continueAt ?? 0)] ?? { slices: [] };
    });
  }

  readDaemonSet(_: string, __: string, { signal }: Cancellable): Promise<DaemonSetObject> {
    return this.#call("read", signal, () => this.daemonSet);
  }

  listPods(
    _: string,
    __: Readonly<Record<string, string>>,
    { signal }: Cancellable,
  ): Promise<readonly PodObject[]> {
    return this.#call("list", signal, () => [...this.pods]);
  }

  #node(name: string): NodeObject {
    return { name, labels: { ...this.labels }, taints: [...this.taints] };
  }

  // deno-lint-ignore require-await
  async #call<T>(name: string, signal: AbortSignal, run: () => T): Promise<T> {
    signal.throwIfAborted();
    this.calls.push(name);
    this.before(name);
    return run();
  }
}
