import { examineSetup } from "../../lib/commands/doctor/examine.ts";
import { type Agent, startAgent } from "../../lib/agent/start_agent.ts";
import { WITHOUT_UPSTREAM } from "./without_upstream.ts";
import { createLog } from "../../lib/observability/log.ts";
import { configOf } from "./config_of.ts";

/**
 * Starts an agent in this process, which asks no upstream unless it is told what is private.
 *
 * @param registryPortOf registry port of the peer whose router has this port: on one machine they
 * cannot all have the same.
 */
export async function startLiveAgent(
  args: readonly string[],
  registryPortOf: (routerPort: number) => number,
): Promise<Agent> {
  const isTold = args.includes("--private-images");
  const config = configOf("agent", [...(isTold ? [] : WITHOUT_UPSTREAM), ...args]);
  return await startAgent(config, {
    log: createLog({ level: "error" }),
    signal: new AbortController().signal,
    registryPortOf,
    examine: examineSetup,
  });
}
