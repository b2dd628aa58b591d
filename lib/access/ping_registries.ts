import { backoff } from "../async/backoff.ts";
import type { UpstreamAnswer } from "../ports/access.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { RuntimeReach } from "./runtime_reach.ts";

/** What {@link pingRegistries} works with. */
export interface PingCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly reach: Pick<RuntimeReach, "answeredPing" | "unansweredFor">;
  /** The registries to ask; those beyond {@link MAX_REGISTRIES} are not. */
  readonly registries: () => Promise<readonly string[]>;
  /** Bounded in time; rejects only with the signal's reason. */
  readonly ping: (registry: string, options: Cancellable) => Promise<UpstreamAnswer>;
  /** Source of jitter in [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

/** Registries that are asked. */
const MAX_REGISTRIES = 16;
/** The first question comes within this time after the start, ms. */
const START_MS = 2_000;
/** How often it is looked for registries, ms: images come and go. */
const LOOK_MS = 300_000;
/** A registry that answered is asked again after this time and up to a quarter more, ms. */
const AGAIN_MS = 21_600_000;
/** The first and the longest pause after a question without an answer, ms. */
const RETRY_MS = 4_000;
const MAX_RETRY_MS = 3_600_000;

/** When a registry is asked next, by the clock, ms, and the pauses until then if it fails. */
interface Plan {
  askAt: number;
  pauses: Iterator<number, never> | undefined;
}

/**
 * Asks registries in the background whether they answer, one at a time, until the signal aborts. So
 * it is known before an outage that this node reaches them
 * (docs/adr/0020-what-only-the-runtime-reaches.md). One that answered a pull meanwhile is not asked.
 */
export async function pingRegistries(
  collaborators: PingCollaborators,
  { signal }: Cancellable,
): Promise<void> {
  const { clock, random = Math.random } = collaborators;
  const plans = new Map<string, Plan>();
  await clock.sleep(random() * START_MS, { signal });
  while (true) {
    const registries = (await collaborators.registries()).slice(0, MAX_REGISTRIES);
    for (const known of plans.keys()) if (!registries.includes(known)) plans.delete(known);
    for (const registry of registries) {
      const plan = plans.get(registry) ?? { askAt: clock.now(), pauses: undefined };
      plans.set(registry, plan);
      if (clock.now() >= plan.askAt) await pingOne(registry, plan, collaborators, signal);
    }
    const next = Math.min(...[...plans.values()].map(({ askAt }) => askAt - clock.now()));
    await clock.sleep(Math.max(Math.min(next, LOOK_MS), 0), { signal });
  }
}

async function pingOne(
  registry: string,
  plan: Plan,
  { reach, ping, clock, log, random = Math.random }: PingCollaborators,
  signal: AbortSignal,
): Promise<void> {
  const againMs = AGAIN_MS * (1 + random() / 4);
  const note = (outcome: string) =>
    log.debug("it is known whether a registry answers", { registry, outcome });
  // The time of day may have been set back.
  const sinceMs = Math.max(reach.unansweredFor(registry), 0);
  if (sinceMs < AGAIN_MS) {
    plan.askAt = clock.now() + againMs - sinceMs;
    return note("reached");
  }
  const answer = await ping(registry, { signal });
  const isReached = answer.type !== "unavailable";
  if (isReached) reach.answeredPing(registry);
  if (isReached) plan.pauses = undefined;
  else plan.pauses ??= backoff({ baseMs: RETRY_MS, maxMs: MAX_RETRY_MS, random });
  plan.askAt = clock.now() + (plan.pauses?.next().value ?? againMs);
  note(isReached ? "reached" : answer.reason);
}
