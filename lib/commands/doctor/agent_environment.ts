import { createHttpClient } from "../../net/http_client.ts";
import { deadline } from "../../async/deadline.ts";
import { parseConfig } from "../../config/parse.ts";
import { localUrl } from "../../net/host_port.ts";
import type { Setting } from "../../observability/debug/debug_source.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { serviceEnvironment } from "./service_environment.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Timeout of the agent's answer, ms: it runs on the same machine. */
const ANSWER_MS = 1_000;

/**
 * The environment that gives the doctor the options of this node's agent: the agent's own report,
 * then the settings of its service, then the environment of this process.
 *
 * @throws {ConfigError} if the arguments are invalid.
 */
export async function agentEnvironment(
  sources: {
    readonly args: readonly string[];
    readonly env: Environment;
    readonly readFile: (path: string) => string;
  },
  options: Cancellable,
): Promise<Environment> {
  const env = { ...await serviceEnvironment(), ...sources.env };
  const { metricsAddr } = parseConfig({ command: "doctor", ...sources, env });
  return { ...await askAgent(`${localUrl(metricsAddr)}/debug/api/config`, options), ...env };
}

/**
 * Not taken from the agent's report: while no agent runs, any process on the machine can answer in
 * its place, and could make the doctor, which runs as root, read secrets from a path of its choice
 * and send them to an address of its choice.
 */
const NOT_TOLD = new Set(["basic-auth-dir", "config"]);

/** Empty if no agent answers, or its debug pages are off. */
async function askAgent(url: string, options: Cancellable): Promise<Environment> {
  using limit = deadline(ANSWER_MS, options);
  try {
    using client = createHttpClient(new URL(url), undefined);
    const response = await fetch(url, { client, signal: limit.signal });
    if (!response.ok) {
      await response.body?.cancel();
      return {};
    }
    const settings = await response.json() as readonly Setting[];
    return Object.fromEntries(
      settings.filter(({ flag, value, isDefault }) =>
        !isDefault && !value.includes("[masked]") && !NOT_TOLD.has(flag)
      ).map(({ flag, value }) => [flag.toUpperCase().replaceAll("-", "_"), value]),
    );
  } catch {
    options.signal.throwIfAborted();
    return {};
  }
}
