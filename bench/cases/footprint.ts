import { stat } from "node:fs/promises";
import { ManagedProcess } from "../../tests/e2e/lab/managed_process.ts";
import { onHost } from "../../tests/e2e/lab/network.ts";
import { blob } from "../bench_lab.ts";
import { loadCommand, runLoad } from "../load/run_load.ts";
import type { System } from "../system.ts";
import type { BenchRun } from "./bench_run.ts";

/** A client at this rate takes minutes for a layer. */
const SLOW = { pauseMs: 50, readBytes: 64 * 1024 };
const STREAMS = 32;
const STREAMING_MS = 4000;
/** An hour of a busy node: a container start per second, each with a few requests. */
const REQUESTS_PER_HOUR = 20_000;

/** Memory, start-up time and binary size. */
export async function measureFootprint(run: BenchRun): Promise<void> {
  const { figures, systems, lab, settings } = run;
  const figure = { group: "footprint", better: "less" } as const;
  for (const system of systems) {
    const { size } = await stat(system.binary);
    figures.add({ ...figure, name: "size of the binary", unit: "MB" }, system.name, size / 1e6);
  }
  for (let turn = 0; turn < settings.runs; turn++) {
    for (const system of systems) {
      await lab.stopOn(system, lab.puller);
      const readyMs = await lab.startOn(system, lab.puller);
      figures.add({ ...figure, name: "start to ready", unit: "ms" }, system.name, readyMs);
    }
  }
  // Long enough to find peers and to collect the garbage of the start.
  await new Promise((done) => setTimeout(done, 20_000));
  for (const system of systems) {
    const name = "RSS idle after the start";
    figures.add({ ...figure, name, unit: "MB" }, system.name, await rss(run, system));
  }
  for (const system of systems) await underStreams(run, system);
  for (const system of systems) await afterRequests(run, system);
}

/** Half of the clients are slow, and all get a blob through a peer. */
async function underStreams(run: BenchRun, system: System): Promise<void> {
  const { lab, figures } = run;
  const layers = lab.images.get("forty")?.image.layers ?? [];
  const jobs = layers.map(({ digest }) => ({ path: blob("forty", digest) }));
  const plan = {
    host: "127.0.0.1",
    port: system.ports.registry,
    connections: STREAMS / 2,
    durationMs: STREAMING_MS,
    status: 200,
  };
  const start = (command: string[], name: string) =>
    ManagedProcess.start({
      name,
      argv: onHost(lab.puller.host, command),
      logFile: `${lab.directory}/load.log`,
    });
  await using _slow = start(
    loadCommand({ ...plan, ...SLOW, jobs: jobs.slice(0, STREAMS / 2) }),
    "slow clients",
  );
  await using _fast = start(
    loadCommand({ ...plan, jobs: jobs.slice(STREAMS / 2) }),
    "fast clients",
  );
  const ends = performance.now() + STREAMING_MS;
  let most = 0;
  while (performance.now() < ends) {
    most = Math.max(most, await rss(run, system));
    await new Promise((done) => setTimeout(done, 100));
  }
  const name = `RSS, most under ${STREAMS} streams, half of them slow`;
  figures.add({ group: "footprint", name, unit: "MB", better: "less" }, system.name, most);
}

async function afterRequests(run: BenchRun, system: System): Promise<void> {
  const { lab, figures } = run;
  const configs = [...lab.images].flatMap(([name, { image }]) =>
    image.blobs.filter(({ mediaType }) => mediaType.includes("config"))
      .map(({ digest }) => ({ path: blob(name, digest) }))
  );
  await runLoad(lab.puller.host, {
    host: "127.0.0.1",
    port: system.ports.registry,
    connections: 8,
    jobs: configs,
    requests: REQUESTS_PER_HOUR,
    status: 200,
  });
  const name = `RSS after ${REQUESTS_PER_HOUR} requests`;
  const figure = { group: "footprint", name, unit: "MB", better: "less" } as const;
  figures.add(figure, system.name, await rss(run, system));
}

function rss({ lab }: BenchRun, system: System): Promise<number> {
  return lab.agent(system, lab.puller).rssMb();
}
