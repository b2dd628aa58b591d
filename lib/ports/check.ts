import type { Cancellable } from "./cancellable.ts";

/** The outcome of one look at the node. */
export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed" | "skipped";
  /** What was seen. */
  readonly detail: string;
  /** What to do about it; empty if there is nothing to do. */
  readonly fix: string;
}

/** Looks at the node that it runs on. Does not reject. */
export type Examine<Settings> = (
  settings: Settings,
  options: Cancellable,
) => Promise<readonly Check[]>;
