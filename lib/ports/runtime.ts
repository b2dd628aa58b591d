import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** Common collaborators. A part that needs fewer picks their fields. */
export interface Runtime {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}
