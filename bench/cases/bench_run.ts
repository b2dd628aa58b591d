import type { BenchLab } from "../bench_lab.ts";
import type { Figures } from "../figure.ts";
import type { Settings } from "../settings.ts";
import type { System } from "../system.ts";

/** Inputs of a case. */
export interface BenchRun {
  readonly lab: BenchLab;
  readonly figures: Figures;
  readonly settings: Settings;
  /** Eddy and the other system, in this order. */
  readonly systems: readonly System[];
  /** Eddy without verification, which concerns only content from peers. */
  readonly unverified: System;
}
