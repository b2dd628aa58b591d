/**
 * Start-up time, and idle memory, of a lone agent: median of ten starts. Runs `dist/eddy`, or the
 * source if that does not exist. Usage: `deno task bench:startup`.
 */
import { systemClock } from "../lib/async/clock.ts";
import { OciLayoutWriter } from "../lib/store/oci_layout/oci_layout_writer.ts";

const RUNS = 10;
/** Time from readiness to reading the memory, ms. */
const IDLE_MS = 2000;
const GIVE_UP_MS = 30_000;
const PORTS = { registry: 25_000, router: 25_001, metrics: 25_002 };

interface Sample {
  readonly readyMs: number;
  readonly rssMb: number;
}

const directory = await Deno.makeTempDir({ prefix: "eddy-bench-" });
try {
  await new OciLayoutWriter(`${directory}/store`).init();
  const binary = new URL("../dist/eddy", import.meta.url).pathname;
  const compiled = await Deno.stat(binary).then(() => true, () => false);
  const command = compiled ? [binary] : [
    Deno.execPath(),
    "run",
    "-A",
    new URL("../main.ts", import.meta.url).pathname,
  ];
  const samples: Sample[] = [];
  for (let run = 0; run < RUNS; run++) samples.push(await sample(command, run === RUNS - 1));
  const ready = samples.map(({ readyMs }) => readyMs).sort((a, b) => a - b);
  const rss = samples.at(-1)?.rssMb ?? NaN;
  print(`runs                 ${RUNS}, ${compiled ? "compiled binary" : "from source"}`);
  print(`start to ready       median ${median(ready)} ms (${ready.at(0)} to ${ready.at(-1)})`);
  print(`memory when idle     ${rss.toFixed(1)} MB resident`);
  if (compiled) {
    const { size } = await Deno.stat(binary);
    print(`size of the binary   ${(size / 1e6).toFixed(1)} MB`);
  }
} finally {
  await Deno.remove(directory, { recursive: true });
}

async function sample(command: readonly string[], waitIdle: boolean): Promise<Sample> {
  const [program = "", ...args] = command;
  const startedAt = performance.now();
  const child = new Deno.Command(program, {
    args: [
      ...args,
      "agent",
      ...["--store", `oci-layout:${directory}/store`],
      ...["--registry-addr", `127.0.0.1:${PORTS.registry}`],
      ...["--router-addr", `127.0.0.1:${PORTS.router}`],
      ...["--metrics-addr", `127.0.0.1:${PORTS.metrics}`],
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    while (!await isReady()) {
      if (performance.now() - startedAt > GIVE_UP_MS) throw new Error("the agent is not ready");
      await systemClock.sleep(5);
    }
    const readyMs = Math.round(performance.now() - startedAt);
    if (waitIdle) await systemClock.sleep(IDLE_MS);
    const status = await Deno.readTextFile(`/proc/${child.pid}/status`);
    return { readyMs, rssMb: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1000 };
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
}

async function isReady(): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${PORTS.registry}/readyz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
