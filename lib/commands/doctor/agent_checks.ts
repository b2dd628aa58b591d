import type { Config } from "../../config/options.ts";
import type { Overview } from "../../observability/debug/debug_source.ts";
import type { Check } from "../../ports/check.ts";
import { ANSWER_HEADERS } from "../../oci/peer_protocol.ts";
import { failed, ok, skipped } from "../../agent/preflight.ts";
import type { AgentClient } from "./agent_client.ts";

/** Connections by which a mirror endpoint is tried: a load balancer gives each to any node. */
const CONNECTIONS = 12;

/** Checks that an agent runs, is reachable at containerd's URLs, and is ready. */
export async function checkAgent(
  client: AgentClient,
  config: Config,
  overview: Overview | undefined,
): Promise<Check[]> {
  const readiness = await client.readiness();
  const checks = [await checkTargets(client), ...await checkOwn(client, overview)];
  if (readiness.status === undefined) {
    checks.push(
      failed(
        "agent",
        `no agent answers at ${client.pagesUrl} (${readiness.error})`,
        "start it and check its log; give `eddy doctor` the agent's options (--metrics-addr)",
      ),
    );
  } else if (readiness.status !== 200) {
    const waiting = overview?.conditions.filter(({ met }) => !met).map(({ name }) => name) ?? [];
    const detail = waiting.length === 0
      ? "it does not report why"
      : `waiting for ${waiting.join(", ")}`;
    checks.push(failed("agent", `is not ready: ${detail}`, "check its log"));
  } else {
    checks.push(ok("agent", `is ready${overview === undefined ? "" : ` (${overview.version})`}`));
  }
  if (overview !== undefined) {
    checks.push(checkPeers(config, overview), ...checkTags(overview));
  } else if (readiness.status !== undefined) {
    checks.push(
      skipped("peers", "unknown: the debug pages are off (--debug-web-enabled)"),
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
        "give the agent and the doctor the same ones, and wait until the agent has reread them",
      );
    }
    if (status !== 200 || headers.get("docker-distribution-api-version") === null) {
      const what = status === undefined ? `does not answer (${error})` : "is not a registry";
      return failed(
        name,
        `${url}, the mirror endpoint of containerd, ${what}`,
        "start the agent; --registry-addr and --mirror-targets must match, and no other program " +
          "may use the port",
      );
    }
  }
  return ok(name, `${client.targets.join(", ")} answers`);
}

/** Whether it is this node's own agent that answers containerd, on each connection. */
async function checkOwn(client: AgentClient, overview: Overview | undefined): Promise<Check[]> {
  if (overview === undefined) return [];
  const name = "mirror endpoint is this node";
  for (const url of client.targets) {
    const replies = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => client.registry(`${url}/v2/`)),
    );
    const ids = replies.filter(({ status }) => status === 200)
      .map(({ headers }) => headers.get(ANSWER_HEADERS.node));
    const others = ids.filter((id) => id !== overview.id).length;
    // Whether it answers, and is Eddy, is a check of its own.
    if (ids.length === 0 || ids.includes(null)) continue;
    if (others > 0) {
      return [failed(
        name,
        `${others} of ${ids.length} connections to ${url} end at agents of other nodes, which do ` +
          "not count containerd as their own",
        "reach the node's own agent: by hostPort or hostNetwork (service.registry.exposure); " +
          "NodePort takes Kubernetes 1.34 and a proxy that heeds trafficDistribution: PreferSameNode",
      )];
    }
  }
  return [ok(name, `as on ${CONNECTIONS} connections`)];
}

/** A registry that containerd reaches and the agent does not: nothing else shows it. */
function checkTags({ unaskedRegistries = [] }: Partial<Overview>): Check[] {
  return unaskedRegistries.filter(({ runtime }) => runtime === "reaches")
    .map(({ registry, trouble, fix }) =>
      failed(
        "tags",
        `containerd reaches ${registry} and the agent does not (${trouble}): tags are left to ` +
          "containerd, so they come from upstream, and nodes share only what follows by digest",
        fix,
      )
    );
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
    `no other node is known; bootstrap is ${config.bootstrapKind}`,
    `${FIXES[config.bootstrapKind] ?? "check the bootstrap options"}; the router port ` +
      `(${config.routerAddr.port}, TCP) must be open between nodes; a single node finds none`,
  );
}

const FIXES: Readonly<Record<string, string>> = {
  dns: "make sure that --dns-bootstrap-domain resolves to addresses of nodes",
  static: "make sure that --static-bootstrap-peers lists running nodes",
  http: "make sure that --http-bootstrap-url returns peers",
  kubernetes: "make sure that the service of --kubernetes-bootstrap-service has endpoints",
};
