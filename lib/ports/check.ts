import type { Cancellable } from "./cancellable.ts";

/** Result of one check of the node. */
export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed" | "skipped";
  /** What was found. */
  readonly detail: string;
  /** Remedy; empty if none is needed. */
  readonly fix: string;
}

/** Checks the node on which it runs. Does not reject. */
export type Examine<Settings> = (
  settings: Settings,
  options: Cancellable,
) => Promise<readonly Check[]>;
