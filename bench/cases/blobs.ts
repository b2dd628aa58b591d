import { type BenchNode, blob } from "../bench_lab.ts";
import type { LoadJob } from "../load/plan.ts";
import { runCleanLoad } from "../load/run_load.ts";
import { amounts } from "../settings.ts";
import type { System } from "../system.ts";
import type { BenchRun } from "./bench_run.ts";

/** As containerd 2.x requests them when it downloads a layer in parallel. */
const RANGE_BYTES = 8 * 1024 * 1024;

interface Way {
  readonly name: string;
  readonly connections: number;
  readonly jobs: readonly LoadJob[];
}

/** Throughput and CPU time of blobs, from the store and through a peer. */
export async function measureBlobs(run: BenchRun): Promise<void> {
  const { lab, settings, systems, unverified } = run;
  const ways = waysOf(run);
  for (const way of ways) {
    for (let turn = 0; turn < settings.runs; turn++) {
      for (const system of systems) await sample(run, system, way, lab.holder, "local");
    }
    for (let turn = 0; turn < settings.runs; turn++) {
      for (const system of systems) await sample(run, system, way, lab.puller, "peer");
      if (way.jobs[0]?.range === undefined) {
        await sample(run, unverified, way, lab.puller, "peer, not verified", "eddy");
        for (const system of systems.slice(1)) {
          await sample(run, system, way, lab.puller, "peer, not verified");
        }
      }
    }
  }
}

function waysOf({ lab, settings }: BenchRun): Way[] {
  const { one, eight } = amounts(settings.quick);
  const [single] = lab.images.get("one")?.image.layers ?? [];
  const several = lab.images.get("eight")?.image.layers ?? [];
  if (single === undefined) throw new Error("the image of one layer is missing");
  const large = { path: blob("one", single.digest) };
  const layers = several.map(({ digest }) => ({ path: blob("eight", digest) }));
  const ranges = Array.from({ length: Math.floor(one / RANGE_BYTES) }, (_, index) => ({
    ...large,
    range: `bytes=${index * RANGE_BYTES}-${(index + 1) * RANGE_BYTES - 1}`,
  }));
  const label = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  return [
    { name: `1 stream of ${label(one)}`, connections: 1, jobs: [large] },
    { name: `8 streams of ${label(eight)}`, connections: 8, jobs: layers },
    { name: "8 MiB ranges, 4 at once", connections: 4, jobs: ranges },
  ];
}

/** @param label name of the sample, if not the system's. */
async function sample(
  { lab, figures }: BenchRun,
  system: System,
  way: Way,
  node: BenchNode,
  from: string,
  label: string = system.name,
): Promise<void> {
  const nodes = node === lab.holder ? [node] : [node, lab.holder];
  const agents = nodes.map((each) => lab.agent(system, each));
  const cpu = () => Promise.all(agents.map((agent) => agent.cpuSeconds()));
  const plan = {
    host: "127.0.0.1",
    port: system.ports.registry,
    connections: way.connections,
    jobs: way.jobs,
    status: way.jobs[0]?.range === undefined ? 200 : 206,
  };
  let before = await cpu();
  const result = await runCleanLoad(node.host, plan, async (statuses) => {
    lab.note(`${system.name}, ${from}, ${way.name}: a sample was repeated, statuses ${statuses}`);
    before = await cpu();
  });
  const after = await cpu();
  const used = after.map((seconds, index) => (seconds - (before[index] ?? NaN)) * 1e9);
  const figure = { group: `blobs, ${from}`, better: "more", unit: "MB/s", name: way.name } as const;
  figures.add(figure, label, result.bytes / result.wallMs / 1000);
  const cost = { ...figure, better: "less", unit: "CPU s/GB" } as const;
  const [own = NaN, other] = used.map((value) => value / result.bytes);
  figures.add({ ...cost, name: `${way.name}: CPU` }, label, own);
  if (other === undefined) return;
  figures.add({ ...cost, name: `${way.name}: CPU of the serving node` }, label, other);
  figures.add({ ...cost, name: `${way.name}: CPU of both nodes` }, label, own + other);
}
