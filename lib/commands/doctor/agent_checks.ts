import type { Config } from "../../config/options.ts";
import type { Overview } from "../../observability/debug/debug_source.ts";
import type { Check } from "../../ports/check.ts";
import { failed, ok, skipped } from "../../agent/preflight.ts";
import type { AgentClient } from "./agent_client.ts";

/** Whether an agent runs here, can be reached where containerd is told to, and is ready. */
export async function checkAgent(
  client: AgentClient,
  config: Config,
  overview: Overview | undefined,
): Promise<Check[]> {
  const readiness = await client.readiness();
  const checks = [await checkTargets(client)];
  if (readiness.status === undefined) {
    checks.push(
      failed(
        "agent",
        `no agent answers at ${client.pagesUrl} (${readiness.error})`,
        "start it and look at its log; give `eddy doctor` the agent's options (--metrics-addr)",
      ),
    );
  } else if (readiness.status !== 200) {
    const waiting = overview?.conditions.filter(({ met }) => !met).map(({ name }) => name) ?? [];
    const detail = waiting.length === 0
      ? "it does not say why"
      : `waiting for ${waiting.join(", ")}`;
    checks.push(failed("agent", `is not ready: ${detail}`, "look at its log"));
  } else {
    checks.push(ok("agent", `is ready${overview === undefined ? "" : ` (${overview.version})`}`));
  }
  if (overview !== undefined) checks.push(checkPeers(config, overview));
  else if (readiness.status !== undefined) {
    checks.push(
      skipped("peers", "the debug pages are off (--debug-web-enabled), nothing is known"),
    );
  }
  return checks;
}

async function checkTargets(client: AgentClient): Promise<Check> {
  const name = "mirror endpoint";
  for (const url of client.targets) {
    const { status, error, headers } = await client.registry(`${url}/v2/`);
    if (status === 401) {
      return failed(
        name,
        `${url} refuses the credentials of --basic-auth-dir`,
        "give agent and doctor the same ones, and wait until the agent has read them again",
      );
    }
    if (status !== 200 || headers.get("docker-distribution-api-version") === null) {
      const what = status === undefined ? `does not answer (${error})` : "is something else";
      return failed(
        name,
        `${url}, where containerd is sent to, ${what}`,
        "start the agent; --registry-addr and --mirror-targets must fit each other, and the port " +
          "must not be another program's",
      );
    }
  }
  return ok(name, `${client.targets.join(", ")} answers`);
}

function checkPeers(config: Config, { peers }: Overview): Check {
  const name = "peers";
  const connected = peers.filter((peer) => peer.connected).length;
  if (connected > 0) return ok(name, `${connected} in the routing table`);
  if (config.bootstrapKind === undefined) {
    return skipped(name, "no --bootstrap-kind is set, this node is alone");
  }
  return failed(
    name,
    `no other node is known, bootstrap is ${config.bootstrapKind}`,
    `${FIXES[config.bootstrapKind] ?? "check the bootstrap options"}; the router port ` +
      `(${config.routerAddr.port}, TCP) must be open between nodes; a single node has none to find`,
  );
}

const FIXES: Readonly<Record<string, string>> = {
  dns: "see that --dns-bootstrap-domain resolves to the addresses of nodes",
  static: "see that --static-bootstrap-peers names nodes that run",
  http: "see that --http-bootstrap-url answers with peers",
  kubernetes: "see that the service of --kubernetes-bootstrap-service has endpoints",
};
