import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** What nearly every part works with. A part that uses less picks the fields that it uses. */
export interface Runtime {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}
