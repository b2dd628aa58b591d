/**
 * Benchmarks Eddy's data path, alternating with the Go implementation of the same protocol if `--vs
 * PATH` names its executable: in network namespaces with real containerds, medians. Prints a table
 * and writes `bench.json` and `bench.svg`.
 *
 * Usage: `deno task bench [--quick] [--vs PATH] [--runs N] [--only GROUP,…] [--binary PATH] [--out
 * DIR]`. Seven samples each, three with `--quick`, which takes two minutes. The group `soak` takes
 * 15 minutes per system, 5 with `--quick`, and runs only if named. Needs what the end-to-end tests
 * need, and `dist/eddy` (`deno task compile`).
 */
import { fileURLToPath } from "node:url";
import { BenchLab } from "./bench_lab.ts";
import type { BenchRun } from "./cases/bench_run.ts";
import { measureBlobs } from "./cases/blobs.ts";
import { measureFootprint } from "./cases/footprint.ts";
import { measureMisses } from "./cases/misses.ts";
import { measurePulls } from "./cases/pulls.ts";
import { measureSmall } from "./cases/small.ts";
import { soak } from "./cases/soak.ts";
import { Figures } from "./figure.ts";
import { formatSvg } from "./report/svg.ts";
import { formatTable } from "./report/table.ts";
import { amounts, parseSettings, type Settings } from "./settings.ts";
import { eddy, spegel } from "./system.ts";

const CASES: Record<string, (run: BenchRun) => Promise<void>> = {
  blobs: measureBlobs,
  small: measureSmall,
  misses: measureMisses,
  pulls: measurePulls,
  footprint: measureFootprint,
  soak,
};

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const settings = parseSettings(Deno.args, root);
const started = performance.now();
const figures = new Figures();
const systems = [eddy(settings.binary, "eddy", 5000)];
if (settings.vs !== undefined) systems.push(spegel(settings.vs));
const unverified = eddy(settings.binary, "eddy-unverified", 6000, ["--verify-peer-content=false"]);

await using lab = await BenchLab.create();
try {
  await addImages(lab, settings);
  for (const system of [...systems, unverified]) await lab.start(system);
  for (const [name, measure] of Object.entries(CASES)) {
    if (!settings.groups.has(name)) continue;
    const from = performance.now();
    await measure({ lab, figures, settings, systems, unverified });
    lab.note(`${name} took ${((performance.now() - from) / 1000).toFixed(0)} s`);
  }
} catch (error) {
  lab.note(await lab.tails());
  throw error;
} finally {
  await report(lab);
}

async function addImages(lab: BenchLab, { quick }: Settings): Promise<void> {
  const { one, four, eight, forty, limited } = amounts(quick);
  await lab.add("one", [one]);
  await lab.add("four", Array(4).fill(four));
  await lab.add("eight", Array(8).fill(eight));
  await lab.add("forty", Array(40).fill(forty));
  await lab.add("limited", [limited]);
}

async function report(lab: BenchLab): Promise<void> {
  const names = systems.map(({ name }) => name);
  const [first = "", other] = names;
  await Deno.mkdir(settings.out, { recursive: true });
  const about = {
    at: new Date().toISOString(),
    quick: settings.quick,
    cpus: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    systems: names,
    notes: lab.notes,
    figures: figures.all,
  };
  await Deno.writeTextFile(`${settings.out}/bench.json`, JSON.stringify(about, null, 2) + "\n");
  if (other !== undefined) {
    await Deno.writeTextFile(`${settings.out}/bench.svg`, formatSvg(figures.all, first, other));
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const ending = `${settings.runs} samples each, ${seconds} s, written to ${settings.out}`;
  const text = [formatTable(figures.all, names), "", ...lab.notes, ending, ""].join("\n");
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
