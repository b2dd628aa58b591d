import type { Config } from "../../config/options.ts";
import type { Overview } from "../../observability/debug/debug_source.ts";
import type { Check } from "../../ports/check.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { CONFIG_PATH, failed } from "../../agent/preflight.ts";
import { MIRROR_USED } from "../../agent/readiness.ts";
import { configuredAuthorization } from "../../agent/basic_auth.ts";
import { messageOf } from "../../async/thrown.ts";
import { checkAgent } from "./agent_checks.ts";
import { AgentClient } from "./agent_client.ts";
import { checkContainerdOfNode } from "./containerd_checks.ts";
import { checkHosts } from "./hosts_checks.ts";
import { checkImages } from "./image_checks.ts";
import { checkNetwork } from "./network_checks.ts";
import { checkUpstream } from "./upstream_checks.ts";

/** Checks only containerd and its mirror configuration; changes nothing. */
export async function examineSetup(config: Config, options: Cancellable): Promise<Check[]> {
  const client = new AgentClient(config, await configuredAuthorization(config), options);
  return (await setup(config, client, undefined, options)).checks;
}

/** Checks everything that can keep pulls of this node from going through Eddy; changes nothing. */
export async function examineNode(config: Config, options: Cancellable): Promise<Check[]> {
  const client = new AgentClient(config, await configuredAuthorization(config), options);
  const overview = await client.overview();
  const { checks, configPath } = await setup(config, client, overview, options);
  checks.push(
    ...await attempt("upstream registries", () => checkUpstream(config, configPath, options)),
  );
  checks.push(...await checkAgent(client, config, overview));
  const content = await client.content();
  if (overview === undefined || content === undefined) return checks;
  const isContainerd = config.store === undefined || config.store === "containerd";
  const namespace = isContainerd ? config.containerdNamespace : undefined;
  return [
    ...checks,
    ...await attempt("canary pull", () => checkImages(client, content, namespace)),
    ...await attempt("ports of peers", () => checkNetwork(client, config, overview, content)),
  ];
}

async function setup(
  config: Config,
  { targets, authorization }: AgentClient,
  overview: Overview | undefined,
  options: Cancellable,
): Promise<{ readonly checks: Check[]; readonly configPath: string | undefined }> {
  const { checks, probe, configPath } = await checkContainerdOfNode(config, {
    ...options,
    strict: true,
    // The agent has tried it.
    isMirrorUsed: overview?.conditions.find(({ name }) => name === MIRROR_USED)?.met,
  });
  const readPaths = probe?.cri?.registryConfigPaths;
  // One verdict: what containerd does not read is not said to be used.
  const isIgnored = checks.some(({ name, state }) => name === CONFIG_PATH && state === "failed");
  const hosts = { config, configPath, readPaths, isIgnored, targets, authorization };
  return {
    checks: [...checks, ...await attempt("mirror configuration", () => checkHosts(hosts))],
    configPath,
  };
}

/** A check that throws has failed; the others run all the same. */
async function attempt(name: string, look: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await look();
  } catch (error) {
    const why = messageOf(error);
    return [failed(name, why, "run `eddy doctor` as root, with the agent's options")];
  }
}
