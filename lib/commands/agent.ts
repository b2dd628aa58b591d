import type { Config } from "../config/options.ts";
import { examineSetup } from "./doctor/examine.ts";
import { LineBuffer } from "../observability/line_buffer.ts";
import { createLog } from "../observability/log.ts";
import type { CommandIo } from "./io.ts";
import { connectServiceManager } from "../agent/service_manager.ts";
import { startAgent } from "../agent/start_agent.ts";

/** How often readiness is polled, ms. */
const READY_POLL_MS = 20;

/** Runs the agent until the signal aborts. */
export async function agentCommand(config: Config, io: CommandIo): Promise<number> {
  const startedAt = performance.now();
  using lines = new LineBuffer(io.stderr);
  const log = createLog({ level: config.logLevel, write: lines.write });
  const serviceManager = await connectServiceManager({ env: io.env, log });
  try {
    const agent = await startAgent(config, { log, signal: io.signal, examine: examineSetup });
    log.info("eddy is running", { id: agent.id, registry: agent.url, metrics: agent.metricsUrl });
    const poll = setInterval(() => {
      if (!agent.ready()) return;
      clearInterval(poll);
      log.info("eddy is ready", { afterMs: Math.round(performance.now() - startedAt) });
      void serviceManager.ready();
    }, READY_POLL_MS);
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve();
      else io.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    clearInterval(poll);
    log.info("eddy is stopping");
    await serviceManager.stopping();
    await agent.stop();
    log.info("eddy has stopped");
    return 0;
  } finally {
    await serviceManager.close();
  }
}
