import { deadline } from "../async/deadline.ts";
import { systemClock } from "../async/clock.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import { createKubernetesApi } from "../kubernetes/create_api.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import { askNodes, type ListNodes, nodesByName, nodesOfDaemonSet } from "./cleanup_nodes.ts";
import type { CommandIo } from "./io.ts";

/**
 * Waits until all nodes that run `cleanup --addr` have restored their configuration: they answer
 * several times in a row, since more nodes may appear.
 *
 * @returns 0 if all have, 1 if some have not within `--timeout`, which are named.
 */
export async function cleanupWaitCommand(config: Config, io: CommandIo): Promise<number> {
  const { host, port } = endpointOf(config.probeEndpoint);
  const list = config.probeDaemonset === undefined
    ? nodesByName(host)
    : nodesOfDaemonSet(createKubernetesApi(config), daemonSetOf(config.probeDaemonset));
  const last = { problem: "" };
  using limit = deadline(config.timeout, io);
  try {
    await untilAllAnswer({ list, port, last }, config, { ...io, ...limit });
    return 0;
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    io.stderr(
      io.signal.aborted
        ? "eddy: told to stop before all nodes had cleaned up\n"
        : `eddy: not cleaned up within ${config.timeout / 1000} s: ${
          last.problem || "too little time"
        }. containerd ` +
          "there keeps Eddy's registry hosts and falls back to upstream; once the node is back, " +
          "remove them by `eddy cleanup`\n",
    );
    return 1;
  }
}

interface Waited {
  readonly list: ListNodes;
  readonly port: number;
  /** What was missing last. */
  readonly last: { problem: string };
}

async function untilAllAnswer(
  { list, port, last }: Waited,
  { threshold, period }: Config,
  io: Cancellable & Pick<CommandIo, "stderr">,
): Promise<void> {
  let before = 0;
  for (let times = 0; times < threshold;) {
    const { nodes, problem } = await askNodes(list, port, io);
    // Pods of further nodes may still be starting: the count restarts when the number changes.
    times = problem !== undefined ? 0 : nodes > before ? 1 : times + 1;
    before = problem === undefined ? nodes : before;
    if (problem === undefined) {
      io.stderr(`all ${nodes} nodes have cleaned up (${times} of ${threshold})\n`);
    } else if (problem !== last.problem) io.stderr(`not yet: ${problem}\n`);
    last.problem = problem ?? "";
    if (times < threshold) await systemClock.sleep(period, io);
  }
}

/** `host:port` or `[ipv6]:port`. */
function endpointOf(endpoint: string | undefined): { host: string; port: number } {
  const [, v6, name, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(endpoint ?? "") ??
      [];
  const host = v6 ?? name;
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    const got = endpoint === undefined ? "not set" : `got ${JSON.stringify(endpoint)}`;
    throw new ConfigError(`--probe-endpoint: ${got}, want HOST:PORT such as eddy-cleanup:8080`);
  }
  return { host, port };
}

function daemonSetOf(text: string): { namespace: string; name: string } {
  const [, namespace, name] = /^([a-z0-9-]+)\/([a-z0-9.-]+)$/.exec(text) ?? [];
  if (namespace === undefined || name === undefined) {
    throw new ConfigError(
      `--probe-daemonset: got ${JSON.stringify(text)}, want NAMESPACE/NAME such as ` +
        "eddy/eddy-cleanup",
    );
  }
  return { namespace, name };
}
