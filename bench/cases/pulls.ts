import type { BenchImage } from "../bench_lab.ts";
import type { System } from "../system.ts";
import type { BenchRun } from "./bench_run.ts";

/** Limits of each holder's uplink and the puller's downlink. */
const UPLINK = "300mbit";
const DOWNLINK = "1gbit";

/** Time until new holders are known to all nodes, ms. */
const SETTLE_MS = 5000;

/** Whole pulls by containerd, without unpacking. */
export async function measurePulls(run: BenchRun): Promise<void> {
  await inTurns(run, "one", "1 layer, links without limit");
  await inTurns(run, "four", "4 layers, links without limit");
  await inTurns(run, "forty", "40 layers, links without limit");
  await limited(run);
}

async function inTurns(run: BenchRun, name: string, title: string): Promise<void> {
  const { lab, settings, systems } = run;
  const image = lab.images.get(name);
  if (image === undefined) throw new Error(`there is no image ${name}`);
  for (let turn = 0; turn < settings.runs; turn++) {
    for (const system of systems) await pull(run, system, image, title);
  }
}

/** One large layer from three peers whose uplinks are the bottleneck, and from one such peer. */
async function limited(run: BenchRun): Promise<void> {
  const { lab, systems } = run;
  const { network, holders, puller } = lab;
  for (const system of systems) await lab.start(system, holders);
  // One holder that is found does not imply the others are.
  await new Promise((done) => setTimeout(done, SETTLE_MS));
  try {
    await network.setDownlink(puller.host, DOWNLINK);
    for (const { host } of holders) await network.setRate(host, UPLINK);
    await inTurns(run, "limited", `1 layer from 3 peers, ${UPLINK} uplinks`);
    // The puller must not reach the others: their links go down.
    for (const { host } of holders.slice(1)) await network.setLink(host, "down");
    await inTurns(run, "limited", `1 layer from 1 peer, ${UPLINK} uplink`);
  } finally {
    await network.setDownlink(puller.host, undefined);
    for (const { host } of holders) {
      await network.setLink(host, "up");
      await network.setRate(host, undefined);
    }
  }
}

async function pull(
  { lab, figures }: BenchRun,
  system: System,
  { reference, image }: BenchImage,
  name: string,
): Promise<void> {
  const { store } = lab.puller;
  await store.mirrorAt(system.ports.registry);
  const before = await lab.blobsOfUpstream();
  const elapsedMs = await store.pull(reference);
  await store.remove(reference);
  const missed = await lab.blobsOfUpstream() - before;
  if (missed > 0) lab.note(`${system.name}: ${missed} blobs came from upstream: ${name}`);
  const bytes = image.layers.reduce((sum, { size }) => sum + size, 0);
  const group = "whole pulls";
  figures.add({ group, name, unit: "MB/s", better: "more" }, system.name, bytes / elapsedMs / 1000);
}
