import { randomBytes } from "node:crypto";
import { blob } from "../bench_lab.ts";
import { runLoad } from "../load/run_load.ts";
import { amounts } from "../settings.ts";
import type { BenchRun } from "./bench_run.ts";

/** Latency of misses, each for a different digest. */
export async function measureMisses(run: BenchRun): Promise<void> {
  const { lab, figures, settings, systems } = run;
  for (let turn = 0; turn < settings.runs; turn++) {
    for (const system of systems) {
      const result = await runLoad(lab.puller.host, {
        host: "127.0.0.1",
        port: system.ports.registry,
        connections: 1,
        jobs: Array.from({ length: amounts(settings.quick).misses }, () => ({
          path: blob("one", `sha256:${randomBytes(32).toString("hex")}`),
        })),
        status: 404,
      });
      if (result.errors > 0) throw new Error(`${system.name}: ${result.errors} misses failed`);
      const figure = { group: "misses", unit: "ms", better: "less" } as const;
      figures.add({ ...figure, name: "p50" }, system.name, result.p50Ms);
      figures.add({ ...figure, name: "p99" }, system.name, result.p99Ms);
    }
  }
}
