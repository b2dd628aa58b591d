/**
 * Benchmarks a rollout: empty nodes that all pull a new image at once, in network namespaces with
 * real containerds, on limited links; alternating with the Go implementation of the same protocol
 * if `--vs PATH` names its executable.
 *
 * Both roll out a small image first, to warm up.
 *
 * Usage: `deno task bench:rollout [--nodes 2,4,6] [--runs N] [--vs PATH] [--binary PATH] [--layers
 * MIB,…] [--keep-logs DIR]`. Needs what the end-to-end tests need, and `dist/eddy`.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "./figure.ts";
import { RATE, RolloutLab } from "./rollout/rollout_lab.ts";
import { formatModel } from "./rollout/model.ts";
import { eddy, spegel, type System } from "./system.ts";

const MIB = 1024 * 1024;
/** Time for pulled content to be advertised, ms. */
const SETTLE_MS = 2000;
const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const { values } = parseArgs({
  args: Deno.args,
  options: {
    nodes: { type: "string", default: "2,4,6" },
    runs: { type: "string", default: "3" },
    vs: { type: "string" },
    binary: { type: "string", default: `${root}/dist/eddy` },
    layers: { type: "string", default: "32,32,32,32" },
    "keep-logs": { type: "string" },
  },
});
const layers = values.layers.split(",").map((mib) => Number(mib) * MIB);
const bytes = layers.reduce((sum, each) => sum + each, 0);
const systems = [configuring(eddy(values.binary, "eddy", 5000, ["--rollout"]))];
if (values.vs !== undefined) systems.push(spegel(values.vs));

/** Result of one rollout. */
interface Outcome {
  /** Bytes sent by upstream, in images. */
  readonly images: number;
  readonly aloneMs: number;
  readonly medianMs: number;
  readonly slowestMs: number;
  readonly failed: number;
  /** Bytes sent by the busiest node, in images. */
  readonly busiest: number;
}

print(`${layers.length} layers, ${(bytes / MIB).toFixed(0)} MiB, links of ${RATE}`);
print(
  "system  nodes  images from upstream  alone s  median s  slowest s  × alone  busiest  failed",
);
for (const count of values.nodes.split(",").map(Number)) {
  await using lab = await RolloutLab.create(count);
  for (let run = 0; run < Number(values.runs); run++) {
    for (const system of systems) show(system, count, await rollOut(lab, system, `${run}`));
  }
  if (values["keep-logs"] !== undefined) await keepLogs(lab, values["keep-logs"]);
}
print(formatModel(bytes));

/** A small rollout, so that agents are measured after a warm-up. */
async function warm(lab: RolloutLab, system: System, run: string): Promise<string> {
  const [reference] = await lab.add(`warm-${system.name}-${run}`, [MIB, MIB]);
  await Promise.all(lab.nodes.map(({ store }) => store.pull(reference)));
  await new Promise((done) => setTimeout(done, SETTLE_MS));
  return reference;
}

/** A system that writes hosts.toml itself, and so knows upstream's address. */
function configuring(system: System): System {
  return {
    ...system,
    arguments: (containerd, directory) => [
      ...system.arguments(containerd, directory),
      ...["--containerd-registry-config-path", containerd.certsPath],
    ],
  };
}

async function rollOut(lab: RolloutLab, system: System, run: string): Promise<Outcome> {
  const { upstream, network, nodes } = lab;
  const [first] = nodes;
  if (first === undefined) throw new Error("want at least one node");
  const [alone] = await lab.add(`alone-${system.name}-${run}`, layers);
  const aloneMs = await first.store.pull(alone);
  const [reference] = await lab.add(`together-${system.name}-${run}`, layers);
  await lab.startAgents(system, nodes);
  const warmUp = await warm(lab, system, run);
  const up = network.host("up");
  const sent = () =>
    Promise.all([up, ...nodes.map(({ host }) => host)].map((host) => network.sentBytes(host)));
  const before = await sent();
  const pulls = await Promise.allSettled(nodes.map(({ store }) => store.pull(reference)));
  const after = await sent();
  await lab.stopAgents();
  const [left = 0, ...others] = after.map((total, at) => (total - (before[at] ?? 0)) / bytes);
  const times = pulls.flatMap((pull) => pull.status === "fulfilled" ? [pull.value] : []);
  for (const { store } of nodes) {
    for (const pulled of [reference, warmUp]) await store.remove(pulled).catch(() => {});
  }
  await first.store.remove(alone);
  await upstream.start();
  return {
    images: left,
    aloneMs,
    medianMs: median(times),
    slowestMs: Math.max(...times),
    failed: pulls.length - times.length,
    busiest: Math.max(...others),
  };
}

function show(system: System, count: number, outcome: Outcome): void {
  const { images, aloneMs, medianMs, slowestMs, busiest, failed } = outcome;
  const seconds = (ms: number) => (ms / 1000).toFixed(2).padStart(8);
  print([
    system.name.padEnd(7),
    String(count).padStart(5),
    images.toFixed(3).padStart(21),
    seconds(aloneMs),
    seconds(medianMs),
    seconds(slowestMs),
    (slowestMs / aloneMs).toFixed(2).padStart(8),
    busiest.toFixed(2).padStart(8),
    String(failed).padStart(6),
  ].join(" "));
}

async function keepLogs(lab: RolloutLab, directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  for (const { host } of lab.nodes) {
    for (const { name } of systems) {
      const from = `${lab.directory}/${host.name}-${name}/log`;
      await Deno.copyFile(from, `${directory}/${lab.nodes.length}-${host.name}-${name}.log`);
    }
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
