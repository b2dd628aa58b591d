import { type Agent, startAgent } from "../../lib/commands/agent/start_agent.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { createLog } from "../../lib/observability/log.ts";

/**
 * Starts an agent in this process.
 *
 * @param registryPortOf registry port of the peer whose router has this port: on one machine they
 * cannot all have the same.
 */
export async function startLiveAgent(
  args: readonly string[],
  registryPortOf: (routerPort: number) => number,
): Promise<Agent> {
  return await startAgent(parseConfig({ command: "agent", args, env: {}, readFile: () => "" }), {
    log: createLog({ level: "error" }),
    signal: new AbortController().signal,
    registryPortOf,
  });
}
