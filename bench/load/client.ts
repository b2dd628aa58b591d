/**
 * A load client with as little overhead as possible, so that the server is measured: plain sockets,
 * bodies read into one buffer and discarded. Takes a {@link LoadPlan} as JSON in its only argument
 * and prints a {@link LoadResult} as JSON. A separate process, on any host of the lab.
 */
import { LoadConnection } from "./load_connection.ts";
import type { LoadJob, LoadPlan, LoadResult } from "./plan.ts";

const plan = JSON.parse(Deno.args[0] ?? "") as LoadPlan;
const latencies: number[] = [];
const result = { bytes: 0, requests: 0, errors: 0 };
const statuses: Record<number, number> = {};
let taken = 0;
const begun = performance.now();
const until = begun + (plan.durationMs ?? Infinity);
await Promise.all(Array.from({ length: plan.connections }, () => work()));
const wallMs = performance.now() - begun;
latencies.sort((a, b) => a - b);
const report: LoadResult = {
  ...result,
  statuses,
  wallMs,
  p50Ms: quantile(0.5),
  p99Ms: quantile(0.99),
};
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report)));

/** The next job; a plan with a duration repeats its jobs. */
function next(): LoadJob | undefined {
  if (performance.now() >= until) return undefined;
  const index = taken++;
  const most = plan.requests ?? (plan.durationMs === undefined ? plan.jobs.length : Infinity);
  if (index >= most) return undefined;
  return plan.jobs[index % plan.jobs.length];
}

async function work(): Promise<void> {
  let connection: LoadConnection | undefined;
  for (let job = next(); job !== undefined; job = next()) {
    const started = performance.now();
    let status = 0;
    try {
      connection ??= await LoadConnection.open(plan);
      const answer = await connection.request(job);
      status = answer.status;
      result.bytes += answer.bytes;
    } catch {
      connection?.close();
      connection = undefined;
    }
    result.requests++;
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status !== plan.status) result.errors++;
    latencies.push(performance.now() - started);
  }
  connection?.close();
}

function quantile(q: number): number {
  return latencies[Math.min(Math.floor(latencies.length * q), latencies.length - 1)] ?? NaN;
}
