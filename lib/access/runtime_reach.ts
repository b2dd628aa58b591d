import { LRUCache } from "lru-cache";
import { deadline } from "../async/deadline.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import type { AnswerObserver, UpstreamAnswer, UpstreamTrouble } from "../ports/access.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";
import {
  ATTEMPT_MS,
  hasFailed,
  hasPulled,
  isFull,
  isRecorded,
  type KeptReach,
  keptReach,
  LEFT_MS,
  newReachState,
  pause,
  type ReachState,
  restoredReach,
  type RuntimeState,
  type Times,
  UNDER_WAY_MS,
} from "./reach_state.ts";
import { repositoryName } from "./repositories.ts";
import { fixOf, troubleOf } from "./upstream_trouble.ts";

/** What {@link RuntimeReach} works with. */
export interface RuntimeReachCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly store: Pick<Store, "updatedAt">;
  /** Time of day, ms since 1970; default the system's. */
  readonly today?: () => number;
}

/** A registry that this node cannot ask, as debug pages and the doctor show it. */
export interface UnaskedRegistry {
  readonly registry: string;
  readonly trouble: UpstreamTrouble;
  /** Whether the runtime reaches it. */
  readonly runtime: RuntimeState;
  /** What to do about it. */
  readonly fix: string;
}

/**
 * Tells whether a tag that upstream cannot be asked about is left to the runtime. Bounded in time;
 * rejects only with the signal's reason.
 */
export type LeavesTag = (reference: Reference, options: Cancellable) => Promise<boolean>;

const MAX_REGISTRIES = 256;
/** Records of the store that are read for one question, and the time for that, ms. */
const MAX_LOOKS = 4;
const LOOK_MS = 250;
/**
 * A registry that answered this node within the first time is away for everybody, ms; after the
 * second that is in doubt, since the way there may have been closed for this node alone.
 */
const REACHED_MS = 86_400_000;
const OUTAGE_MS = 3_600_000;
/** A trouble that is shorter than this is not warned of where the registry answered before, ms. */
const LASTING_MS = 300_000;
/** How often the time of an answer is written down, ms. */
const KEEP_MS = 600_000;
/** After so many failures only a finished pull proves that the runtime reaches the registry. */
const MAX_HINTED = 2;

/**
 * Tells an outage of a registry from a registry that this agent cannot reach and the node's runtime
 * can: its pod lacks a certificate, a route, a proxy or a name server that the node has. During an
 * outage tags are served as nodes know them. In the other case that would be wrong for ever, and
 * tags are left to the runtime (docs/adr/0020-what-only-the-runtime-reaches.md).
 *
 * Two things prove that the runtime reaches a registry: it asks for a manifest by a digest that it
 * cannot have from here, or it has recorded an image whose tag was refused here.
 */
export class RuntimeReach implements AnswerObserver {
  readonly #with: RuntimeReachCollaborators;
  readonly #today: () => number;
  readonly #states = new LRUCache<string, ReachState>({ max: MAX_REGISTRIES });
  #revision = 0;
  /** By registry: the time of an answer that is written down. */
  readonly #noted = new LRUCache<string, number>({ max: MAX_REGISTRIES });

  constructor(collaborators: RuntimeReachCollaborators) {
    this.#with = collaborators;
    this.#today = collaborators.today ?? Date.now;
  }

  /** Upstream was asked. */
  observe(registry: string, answer: UpstreamAnswer): void {
    const trouble = troubleOf(answer);
    const state = this.#stateOf(registry);
    if (state === undefined) return;
    if (trouble === undefined) return this.#answered(registry, state);
    if (state.trouble === undefined) state.troubledAt = this.#with.clock.now();
    state.trouble = trouble;
    this.#states.set(registry, state);
  }

  /**
   * The registry answered a question that no pull needs. That mends no trouble but a lack of
   * connection: a server may be too slow for tags, or refuse them, and still answer.
   */
  answeredPing(registry: string): void {
    const state = this.#stateOf(registry);
    const mendable = [undefined, "unreachable", "unresolved"];
    if (state !== undefined && mendable.includes(state.trouble)) this.#answered(registry, state);
  }

  /** How long ago the registry last answered, ms; infinite if it never did, or cannot be asked. */
  unansweredFor(registry: string): number {
    const { trouble, reachedAt = -Infinity } = this.#states.get(registry) ?? {};
    return trouble === undefined ? this.#today() - reachedAt : Infinity;
  }

  /** See {@link LeavesTag}. */
  async leaves(reference: Reference, options: Cancellable): Promise<boolean> {
    const { registry } = reference;
    const state = this.#states.get(registry);
    if (state?.trouble === undefined) return false;
    await this.#lookForPulls(registry, state, options);
    const now = this.#with.clock.now();
    const left = state.left.get(formatReference(reference));
    if (left !== undefined && hasFailed(left, now)) {
      state.left.delete(formatReference(reference));
      this.#failed(registry, state);
    }
    if (state.runtime === "reaches") {
      this.#warn(registry, state);
      return true;
    }
    if (now >= state.retryAt && !this.#isOutage(state)) {
      state.triedAt = now;
      this.#pause(state);
      this.#with.log.debug("the runtime is made to ask upstream itself", { registry });
    }
    return state.triedAt !== undefined && now - state.triedAt < ATTEMPT_MS;
  }

  /** {@inheritDoc AnswerObserver.answered} */
  answered(
    { path: { reference }, method }: Parameters<AnswerObserver["answered"]>[0],
    digest: string | undefined,
  ): void {
    const state = this.#states.get(reference.registry);
    if (state?.trouble === undefined) return;
    const repository = repositoryName(reference);
    const isFetch = reference.digest !== undefined && method === "GET";
    if (isFetch) return this.#fetched(reference.registry, state, repository);
    const name = formatReference(reference);
    const now = this.#with.clock.now();
    if (digest !== undefined) {
      state.named.set(repository, now);
      state.left.delete(name);
    } else if (!state.left.has(name)) {
      // What is forgotten could not be seen to fail.
      if (isFull(state)) this.#failed(reference.registry, state);
      state.left.set(name, { at: now, repository, underWayAt: undefined });
    }
  }

  /** Changes whenever {@link RuntimeReach.kept} does, but for details. */
  get revision(): number {
    return this.#revision;
  }

  /** What is to survive a restart. */
  kept(): KeptReach[] {
    const times = this.#times();
    return [...this.#states].flatMap(([registry, state]) =>
      keptReach(registry, state, times) ?? []
    );
  }

  /** Adds what was kept before a restart. */
  restore(kept: readonly KeptReach[]): void {
    const times = this.#times();
    for (const { registry, ...rest } of kept.slice(0, MAX_REGISTRIES)) {
      this.#states.set(registry, restoredReach(rest, times));
    }
  }

  /** The registries that this node cannot ask. */
  report(): UnaskedRegistry[] {
    return [...this.#states].flatMap(([registry, { trouble, runtime }]) =>
      trouble === undefined ? [] : [{ registry, trouble, runtime, fix: fixOf(trouble) }]
    );
  }

  #times(): Times {
    return { now: this.#with.clock.now(), today: this.#today() };
  }

  /**
   * Undefined if too many registries are asked: clients may name any, and none may make this node
   * forget that the runtime has failed.
   */
  #stateOf(registry: string): ReachState | undefined {
    const now = this.#with.clock.now();
    const known = this.#states.get(registry);
    const [oldest] = this.#states.size < MAX_REGISTRIES ? [] : this.#states.rvalues();
    if (known === undefined && oldest !== undefined && now - oldest.askedAt < LEFT_MS) return;
    const state = known ?? newReachState();
    state.askedAt = now;
    return state;
  }

  /** The registry answered this node: nothing that was learned of its absence holds. */
  #answered(registry: string, { trouble, runtime, retryAt, askedAt }: ReachState): void {
    const reachedAt = this.#today();
    const isPaused = retryAt !== -Infinity;
    const isBack = trouble !== undefined || isPaused;
    if (runtime === "reaches") this.#with.log.info("upstream can be asked", { registry });
    const known = isBack ? undefined : this.#states.get(registry);
    if (known !== undefined) known.reachedAt = reachedAt;
    else this.#states.set(registry, { ...newReachState(), askedAt, reachedAt });
    if (!isPaused && reachedAt - (this.#noted.get(registry) ?? -Infinity) < KEEP_MS) return;
    this.#noted.set(registry, reachedAt);
    this.#revision++;
  }

  /** A runtime resolves a name before it fetches: it has this digest from somewhere. */
  #fetched(registry: string, state: ReachState, repository: string): void {
    const now = this.#with.clock.now();
    if ((state.named.get(repository) ?? -Infinity) > now - LEFT_MS) return;
    const begun = [...state.left.values()].filter((left) =>
      left.repository === repository && now - left.at < UNDER_WAY_MS
    );
    if (begun.length === 0 || state.failures >= MAX_HINTED) return;
    for (const left of begun) left.underWayAt ??= now;
    this.#reaches(registry, state);
  }

  /** The runtime records an image when its pull has succeeded. */
  async #lookForPulls(registry: string, state: ReachState, options: Cancellable): Promise<void> {
    const { store, clock } = this.#with;
    for (const [name, { at }] of state.left) {
      if (clock.now() - at > LEFT_MS) state.left.delete(name);
    }
    const latest = [...state.left].slice(0, MAX_LOOKS);
    if (latest.length === 0 || store.updatedAt === undefined) return;
    using limit = deadline(LOOK_MS, options);
    await Promise.all(latest.map(async ([name, left]) => {
      const at = await store.updatedAt?.(name, limit).catch(() => undefined) ?? -Infinity;
      if (!isRecorded(left, at, this.#times())) return;
      state.left.delete(name);
      hasPulled(state);
      this.#reaches(registry, state);
    }));
    options.signal.throwIfAborted();
  }

  #reaches(registry: string, state: ReachState): void {
    if (state.trouble === undefined) return;
    state.runtime = "reaches";
    this.#warn(registry, state);
  }

  /** Once, and not of a registry that is back in a moment. */
  #warn(registry: string, state: ReachState): void {
    const { trouble, troubledAt, warned } = state;
    const isShort = this.#isOutage(state) && this.#with.clock.now() - troubledAt < LASTING_MS;
    if (warned || trouble === undefined || isShort) return;
    state.warned = true;
    this.#with.log.warn(
      "containerd reaches a registry that this agent cannot ask: tags are left to containerd",
      { registry, reason: trouble, fix: fixOf(trouble) },
    );
  }

  #pause(state: ReachState): void {
    pause(state, this.#with.clock.now());
    this.#revision++;
  }

  #failed(registry: string, state: ReachState): void {
    // Of tags that were left together each fails.
    const isNews = state.runtime !== "fails" || state.triedAt !== undefined;
    state.triedAt = undefined;
    if (!isNews) return;
    state.runtime = "fails";
    state.failures++;
    if (this.#with.clock.now() >= state.retryAt) this.#pause(state);
    this.#with.log.debug("the runtime does not reach upstream either", { registry });
  }

  #isOutage({ trouble, troubledAt, reachedAt = -Infinity }: ReachState): boolean {
    if (trouble === "misconfigured" || trouble === "forbidden") return false;
    return this.#today() - reachedAt < REACHED_MS &&
      this.#with.clock.now() - troubledAt < OUTAGE_MS;
  }
}
