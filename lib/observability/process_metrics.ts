import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";

/**
 * Registers Prometheus' standard process metrics: memory, CPU time, start time and open file
 * descriptors, read at each scrape. prom-client's default metrics are not used: on Deno their event
 * loop and garbage collection figures are wrong, and costly.
 */
export function registerProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    registers,
    collect() {
      this.set(Deno.memoryUsage().rss);
    },
  });
  new Gauge({
    name: "process_heap_bytes",
    help: "Heap of the JavaScript engine in use, in bytes.",
    registers,
    collect() {
      this.set(Deno.memoryUsage().heapUsed);
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time spent, in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start time of the process since the Unix epoch, in seconds.",
    registers,
  }).set(performance.timeOrigin / 1000);
  new Gauge({
    name: "process_open_fds",
    help: "Open file descriptors.",
    registers,
    async collect() {
      const count = await countOpenFiles();
      if (count !== undefined) this.set(count);
    },
  });
}

/** Undefined without a readable /proc. */
async function countOpenFiles(): Promise<number | undefined> {
  try {
    let count = 0;
    for await (const _ of Deno.readDir("/proc/self/fd")) count++;
    // Reading the directory takes a descriptor itself.
    return count - 1;
  } catch {
    return undefined;
  }
}
