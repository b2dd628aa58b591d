/**
 * Looks at the agent of its host again and again and prints what it saw, a line of JSON a look.
 * Arguments: paths below the registry that containerd would ask for, one of which is asked for at
 * each look.
 */
import type { Look } from "./watch.ts";

const INTERVAL_MS = 100;
const TIMEOUT_MS = 3000;
const paths = Deno.args;

for (let round = 0;; round++) {
  const at = Date.now();
  const readyBefore = (await get("http://127.0.0.1:5000/readyz")).status === 200;
  const metrics = await get("http://127.0.0.1:9090/metrics");
  const { status } = await get(`http://127.0.0.1:5000${paths[round % paths.length]}`);
  const peers = Number(/^eddy_peers (\d+)$/m.exec(metrics.text)?.[1] ?? NaN);
  const look: Look = { at, ready: readyBefore, peers: Number.isNaN(peers) ? -1 : peers, status };
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(look)}\n`));
  await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
}

/** Status 0: nobody answers. */
async function get(url: string): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { status: response.status, text: await response.text() };
  } catch {
    return { status: 0, text: "" };
  }
}
