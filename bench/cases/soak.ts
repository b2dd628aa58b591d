import { ManagedProcess } from "../../tests/e2e/lab/managed_process.ts";
import { onHost } from "../../tests/e2e/lab/network.ts";
import { blob, manifest } from "../bench_lab.ts";
import { loadCommand } from "../load/run_load.ts";
import type { LoadJob, LoadPlan } from "../load/plan.ts";
import type { System } from "../system.ts";
import type { BenchRun } from "./bench_run.ts";

const SOAK_MS = 15 * 60_000;
const QUICK_SOAK_MS = 5 * 60_000;
const SAMPLE_MS = 2000;

/** Whether memory stays flat under layers, small responses and slow clients at once. */
export async function soak(run: BenchRun): Promise<void> {
  const durationMs = run.settings.quick ? QUICK_SOAK_MS : SOAK_MS;
  for (const system of run.systems) await soakOne(run, system, durationMs);
}

async function soakOne(run: BenchRun, system: System, durationMs: number): Promise<void> {
  const { lab, figures } = run;
  const agent = lab.agent(system, lab.puller);
  const loads = plans(run, system, durationMs).map((plan, index) =>
    ManagedProcess.start({
      name: `load ${index}`,
      argv: onHost(lab.puller.host, loadCommand(plan)),
      logFile: `${lab.directory}/soak.log`,
    })
  );
  const samples: [minutes: number, mb: number][] = [];
  const started = performance.now();
  try {
    while (performance.now() - started < durationMs) {
      samples.push([(performance.now() - started) / 60_000, await agent.rssMb()]);
      await new Promise((done) => setTimeout(done, SAMPLE_MS));
    }
  } finally {
    for (const load of loads) await load[Symbol.asyncDispose]();
  }
  // The first third is left out: caches fill and the engine optimises.
  const settled = samples.slice(Math.floor(samples.length / 3));
  const group = `soak of ${durationMs / 60_000} minutes`;
  const add = (name: string, unit: string, value: number) =>
    figures.add({ group, name, unit, better: "less" }, system.name, value);
  add("RSS, most", "MB", Math.max(...samples.map(([, mb]) => mb)));
  add("RSS at the end", "MB", settled.at(-1)?.[1] ?? NaN);
  add("slope of RSS", "MB/min", slope(settled));
}

function plans({ lab }: BenchRun, system: System, durationMs: number): LoadPlan[] {
  const jobs = (name: string): LoadJob[] =>
    (lab.images.get(name)?.image.layers ?? []).map(({ digest }) => ({ path: blob(name, digest) }));
  const small = [...lab.images].flatMap(([name, { image }]) => [
    { path: manifest(name, image.root.digest) },
    ...image.blobs.filter(({ mediaType }) => mediaType.includes("config"))
      .map(({ digest }) => ({ path: blob(name, digest) })),
  ]);
  const plan = { host: "127.0.0.1", port: system.ports.registry, durationMs, status: 200 };
  return [
    { ...plan, connections: 2, jobs: jobs("eight") },
    { ...plan, connections: 4, jobs: small, pauseMs: 5 },
    { ...plan, connections: 8, jobs: jobs("forty"), pauseMs: 50, readBytes: 64 * 1024 },
  ];
}

/** By least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const x = mean(points.map(([each]) => each));
  const y = mean(points.map(([, each]) => each));
  const covariance = mean(points.map(([a, b]) => (a - x) * (b - y)));
  return covariance / mean(points.map(([a]) => (a - x) ** 2));
}
