import type { BenchLab } from "../bench_lab.ts";
import type { Figures } from "../figure.ts";
import type { Settings } from "../settings.ts";
import type { System } from "../system.ts";

/** What a case works with. */
export interface BenchRun {
  readonly lab: BenchLab;
  readonly figures: Figures;
  readonly settings: Settings;
  /** Eddy and the other, in this order. */
  readonly systems: readonly System[];
  /** Eddy without verification: only bytes of peers differ. */
  readonly unverified: System;
}
