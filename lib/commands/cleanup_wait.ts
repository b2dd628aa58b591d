import { get } from "node:http";
import { deadline } from "../async/deadline.ts";
import { systemClock } from "../async/clock.ts";
import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import { resolveHost } from "../router/bootstrap/resolve_host.ts";
import type { CommandIo } from "./io.ts";

/** Timeout of one node's answer, ms. */
const PROBE_TIMEOUT_MS = 1000;
/** Timeout of the name's resolution, ms. */
const RESOLVE_TIMEOUT_MS = 5000;
/** Nodes that are asked concurrently. */
const PROBED_AT_ONCE = 10;

/**
 * Waits until all nodes that run `cleanup --addr` have restored their configuration: all addresses
 * of a name answer, several times in a row, since more nodes may appear.
 */
export async function cleanupWaitCommand(config: Config, io: CommandIo): Promise<number> {
  const { host, port } = endpointOf(config.probeEndpoint);
  try {
    let before = 0;
    for (let times = 0; times < config.threshold;) {
      const { nodes, problem } = await probeAll(host, port, io);
      // Pods of further nodes may still be starting: the count restarts when the number changes.
      times = problem !== undefined ? 0 : nodes > before ? 1 : times + 1;
      before = problem === undefined ? nodes : before;
      io.stderr(
        problem === undefined
          ? `all ${nodes} nodes have cleaned up (${times} of ${config.threshold})\n`
          : `not yet: ${problem}\n`,
      );
      if (times < config.threshold) await systemClock.sleep(config.period, io);
    }
    return 0;
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.stderr("eddy: told to stop before all nodes had cleaned up\n");
    return 1;
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

/** The number of nodes, and what is missing. Rejects only when the signal aborts. */
async function probeAll(
  host: string,
  port: number,
  options: Cancellable,
): Promise<{ readonly nodes: number; readonly problem?: string }> {
  let addresses: string[];
  try {
    using limit = deadline(RESOLVE_TIMEOUT_MS, options);
    addresses = await resolveHost(host, limit);
  } catch (error) {
    options.signal.throwIfAborted();
    const reason = messageOf(error);
    return { nodes: 0, problem: `${host} has no addresses (${reason})` };
  }
  const problems: string[] = [];
  const left = addresses[Symbol.iterator]();
  const work = async () => {
    for (const address of left) {
      const problem = await probe(address, port, options);
      if (problem !== undefined) problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: PROBED_AT_ONCE }, work));
  options.signal.throwIfAborted();
  const nodes = addresses.length;
  if (problems.length === 0) return { nodes };
  return { nodes, problem: `${problems.length} of ${nodes} nodes, among them ${problems[0]}` };
}

/** Asks a node directly, even if the environment names a proxy. Does not reject. */
function probe(
  address: string,
  port: number,
  options: Cancellable,
): Promise<string | undefined> {
  const limit = deadline(PROBE_TIMEOUT_MS, options);
  return new Promise<string | undefined>((resolve) => {
    const { signal } = limit;
    get({ host: address, port, path: "/readyz", agent: false, signal }, (response) => {
      response.resume();
      const { statusCode } = response;
      resolve(statusCode === 200 ? undefined : `${address} (status ${statusCode})`);
    }).on("error", () => resolve(`${address} (no answer)`));
  }).finally(() => limit[Symbol.dispose]());
}
