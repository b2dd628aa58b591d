import { type BenchNode, blob, manifest } from "../bench_lab.ts";
import type { LoadJob } from "../load/plan.ts";
import { runLoad } from "../load/run_load.ts";
import { amounts } from "../settings.ts";
import type { BenchRun } from "./bench_run.ts";

const CONNECTIONS = [16, 64];

/** Manifests and configs per second, from the store and through a peer. */
export async function measureSmall(run: BenchRun): Promise<void> {
  const { lab } = run;
  const images = [...lab.images].map(([name, { image }]) => ({ name, image }));
  const manifests = images.map(({ name, image }) => ({ path: manifest(name, image.root.digest) }));
  const configs = images.flatMap(({ name, image }) => {
    const config = image.blobs.find(({ mediaType }) => mediaType.includes("config"));
    return config === undefined ? [] : [{ path: blob(name, config.digest) }];
  });
  for (const connections of CONNECTIONS) {
    await measure(run, "manifests, local", manifests, lab.holder, connections);
    await measure(run, "configs, local", configs, lab.holder, connections);
    await measure(run, "manifests, peer", manifests, lab.puller, connections);
    await measure(run, "configs, peer", configs, lab.puller, connections);
  }
}

async function measure(
  { figures, settings, systems }: BenchRun,
  what: string,
  jobs: readonly LoadJob[],
  node: BenchNode,
  connections: number,
): Promise<void> {
  const { smallMs } = amounts(settings.quick);
  for (let turn = 0; turn < settings.runs; turn++) {
    for (const system of systems) {
      const result = await runLoad(node.host, {
        host: "127.0.0.1",
        port: system.ports.registry,
        connections,
        jobs,
        durationMs: smallMs,
        status: 200,
      });
      const group = `${what}, ${connections} connections`;
      const add = (name: string, unit: string, better: "more" | "less", value: number) =>
        figures.add({ group, name, unit, better }, system.name, value);
      add("rate", "1/s", "more", (result.requests - result.errors) * 1000 / result.wallMs);
      add("p50", "ms", "less", result.p50Ms);
      add("p99", "ms", "less", result.p99Ms);
      add("errors", "%", "less", result.errors * 100 / result.requests);
    }
  }
}
