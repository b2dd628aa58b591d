import { LRUCache } from "lru-cache";
import type { UpstreamTrouble } from "../ports/access.ts";

/** Whether the node's runtime reaches a registry. */
export type RuntimeState = "reaches" | "fails" | "unknown";

/** A request that was refused, so that the runtime asks upstream. */
export interface Left {
  readonly at: number;
  readonly repository: string;
  /** When the runtime asked for a digest that it can only know from upstream. */
  underWayAt: number | undefined;
}

/** What is known of one registry. Times are the clock's, ms. */
export interface ReachState {
  /** Why upstream gave no answer when it was last asked; undefined: it gave one. */
  trouble: UpstreamTrouble | undefined;
  /** Since when that has been so. */
  troubledAt: number;
  /** When upstream was last asked. */
  askedAt: number;
  /** When it last gave one, time of day. */
  reachedAt: number | undefined;
  runtime: RuntimeState;
  /** When the runtime was last made to try for the sake of finding out, and when it may be again. */
  triedAt: number | undefined;
  retryAt: number;
  pauseMs: number;
  /** Failures of the runtime since a pull of its own was recorded. */
  failures: number;
  warned: boolean;
  /** By reference. */
  readonly left: LRUCache<string, Left>;
  /** By repository: when a client last got a digest from here. */
  readonly named: LRUCache<string, number>;
}

/** More than a node pulls from one registry in {@link LEFT_MS}. */
const MAX_LEFT = 128;
/** How long attempts are remembered, ms. */
export const LEFT_MS = 600_000;
/**
 * The runtime's own attempt counts as failed if the same is asked again after this, ms. Less than
 * kubelet's first pause before it repeats a pull, 10 s.
 */
export const ATTEMPT_MS = 5_000;
/** The same for an attempt that has got as far as the manifest, ms. */
export const UNDER_WAY_MS = 120_000;
/**
 * The first and the longest pause between two tries, ms. It doubles, so a tag is wrong after an
 * outage for no longer than the outage lasted.
 */
const PAUSE_MS = 900_000;
const MAX_PAUSE_MS = 86_400_000;

/** A registry of which nothing is known. */
export function newReachState(): ReachState {
  return {
    trouble: undefined,
    troubledAt: -Infinity,
    askedAt: -Infinity,
    reachedAt: undefined,
    runtime: "unknown",
    triedAt: undefined,
    retryAt: -Infinity,
    pauseMs: PAUSE_MS,
    failures: 0,
    warned: false,
    left: new LRUCache({ max: MAX_LEFT }),
    named: new LRUCache({ max: MAX_LEFT }),
  };
}

/** The runtime is not made to try again for a while. */
export function pause(state: ReachState, now: number): void {
  state.retryAt = now + state.pauseMs;
  state.pauseMs = Math.min(2 * state.pauseMs, MAX_PAUSE_MS);
}

/** The runtime has pulled something by itself. */
export function hasPulled(state: ReachState): void {
  state.failures = 0;
  state.pauseMs = PAUSE_MS;
}

/** Tells whether an attempt has taken so long that whoever asks again does so since it failed. */
export function hasFailed({ at, underWayAt }: Left, now: number): boolean {
  return underWayAt === undefined ? now - at >= ATTEMPT_MS : now - underWayAt >= UNDER_WAY_MS;
}

/**
 * Tells whether an image was recorded since a request was refused. The time of day at which that was
 * is taken from the clock, since a node may start with a wrong date: a record from the future is an
 * old one.
 *
 * @param recordedAt time of day, ms since 1970.
 */
export function isRecorded({ at }: Left, recordedAt: number, { now, today }: Times): boolean {
  return recordedAt > today - (now - at) && recordedAt <= today;
}

/** Tells whether an attempt can only be remembered if another is forgotten. */
export function isFull({ left }: ReachState): boolean {
  return left.size >= MAX_LEFT;
}

/** The clock's time and the time of day, ms. */
export interface Times {
  readonly now: number;
  readonly today: number;
}

/** What of a registry survives a restart; times of day, ms since 1970. */
export interface KeptReach {
  readonly registry: string;
  readonly reachedAt?: number | undefined;
  readonly retryAt?: number | undefined;
  readonly pauseMs: number;
}

/** A registry's state to keep; undefined if there is nothing. */
export function keptReach(
  registry: string,
  { reachedAt, retryAt, pauseMs }: ReachState,
  { now, today }: Times,
): KeptReach | undefined {
  const isPausing = retryAt > now;
  if (reachedAt === undefined && !isPausing) return undefined;
  return { registry, reachedAt, pauseMs, retryAt: isPausing ? today + retryAt - now : undefined };
}

/** The state that was kept. Times of a clock that was ahead count as now. */
export function restoredReach(
  { reachedAt, retryAt, pauseMs }: Omit<KeptReach, "registry">,
  { now, today }: Times,
): ReachState {
  const bounded = Math.min(Math.max(pauseMs, PAUSE_MS), MAX_PAUSE_MS);
  return {
    ...newReachState(),
    reachedAt: reachedAt === undefined ? undefined : Math.min(reachedAt, today),
    retryAt: retryAt === undefined ? -Infinity : now + Math.min(retryAt - today, bounded),
    pauseMs: bounded,
  };
}
