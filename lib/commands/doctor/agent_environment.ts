import { createHttpClient } from "../../net/http_client.ts";
import { deadline } from "../../async/deadline.ts";
import { parseConfig } from "../../config/parse.ts";
import { localUrl } from "../../net/host_port.ts";
import type { Setting } from "../../observability/debug/debug_source.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { serviceEnvironment } from "./service_environment.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** An agent on the same machine answers at once, or none runs, ms. */
const ANSWER_MS = 1_000;

/**
 * The variables that make the doctor look at the agent of this node as that was started: what the
 * agent says itself, then what its service was told, then those of the doctor's own process.
 *
 * @throws {ConfigError} if the arguments are wrong.
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
 * Not believed: while no agent runs anybody on the machine can answer in its place, and could have
 * the doctor, who is root, read secrets from where it says and show them to whom it says.
 */
const NOT_TOLD = new Set(["basic-auth-dir", "config"]);

/** Nothing if there is no agent, or one whose debug pages are off. */
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
