import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { KubernetesApi, NodeObject } from "./api.ts";
import { retry } from "./retry.ts";
import { removeTaint } from "./startup_taint.ts";
import { type NodeTopology, readTopology } from "./topology.ts";

/** Interval of readiness checks while a taint is to be removed, ms. */
const READY_POLL_MS = 100;
/**
 * Interval of node checks, ms, plus up to half of it as jitter: a node that is deleted and
 * registers anew has its start-up taint again. 5,000 nodes make 13 requests a second.
 */
const RECHECK_MS = 5 * 60_000;

export interface NodeFollowerCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly api: KubernetesApi;
  /** Source of jitter in [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

export interface NodeFollowerOptions {
  /** Name of the node that the agent runs on. */
  readonly node: string;
  /** Key of the taint to remove once the agent is ready; undefined: none. */
  readonly startupTaint?: string | undefined;
}

export interface NodeFollowerRun extends Cancellable {
  /** True once the agent serves and containerd is configured to ask it. */
  readonly ready: () => boolean;
}

/** Reads this node's zone and region, and removes its start-up taint once the agent is ready. */
export class NodeFollower {
  readonly #collaborators: NodeFollowerCollaborators;
  readonly #options: NodeFollowerOptions;
  #topology: NodeTopology | undefined;

  constructor(collaborators: NodeFollowerCollaborators, options: NodeFollowerOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Zone and region; undefined until the API server has answered. */
  get topology(): NodeTopology | undefined {
    return this.#topology;
  }

  /** Runs until the signal aborts; then rejects with its reason. Failures are retried. */
  async run(options: NodeFollowerRun): Promise<never> {
    const { api, clock, log, random = Math.random } = this.#collaborators;
    const { node, startupTaint } = this.#options;
    this.#learn(await this.#retry(() => api.readNode(node, options), options));
    let first = true;
    while (true) {
      if (startupTaint !== undefined) {
        await this.#untilReady(options);
        const { removed, node: now } = await this.#retry(
          () => removeTaint(api, { node, key: startupTaint }, options),
          options,
        );
        this.#learn(now);
        if (removed.length > 0) {
          log.info("start-up taint removed", { node, taint: startupTaint, effects: removed });
        } else if (first) {
          log.info("node has no start-up taint", { node, taint: startupTaint });
        }
        first = false;
      }
      await clock.sleep(RECHECK_MS * (1 + random() / 2), options);
      if (startupTaint === undefined) {
        this.#learn(await this.#retry(() => api.readNode(node, options), options));
      }
    }
  }

  #retry<T>(attempt: () => Promise<T>, options: Cancellable): Promise<T> {
    return retry(this.#collaborators, attempt, options);
  }

  #learn({ name, labels }: NodeObject): void {
    const before = this.#topology;
    const now = readTopology(labels);
    this.#topology = now;
    if (before?.zone === now.zone && before?.region === now.region && before !== undefined) return;
    this.#collaborators.log.info("node is known", { node: name, ...now });
  }

  async #untilReady({ ready, signal }: NodeFollowerRun): Promise<void> {
    const { clock } = this.#collaborators;
    while (!ready()) await clock.sleep(READY_POLL_MS, { signal });
  }
}
