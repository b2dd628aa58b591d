import { createCredentialsHash, type Credentials } from "../oci/credentials.ts";
import { deadline } from "../async/deadline.ts";
import { SingleFlight } from "../async/single_flight.ts";
import { type DistributionPath, formatDistributionPath } from "../oci/path.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Log } from "../ports/log.ts";
import type { Upstream, UpstreamAnswer } from "../ports/access.ts";
import { Circuit, type CircuitOptions } from "./circuit.ts";
import { defaultEndpoint, type UpstreamEndpoint, type UpstreamEndpoints } from "./endpoint.ts";
import { ForbiddenTargetError } from "./forbidden_host.ts";
import { type EndpointAnswer, RegistryClient } from "./registry_client.ts";
import { createSender, type Sender } from "./send.ts";

export interface UpstreamCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Default: {@link defaultEndpoint} for each registry. */
  readonly endpoints?: UpstreamEndpoints;
  /** Sends requests; default: over the network. */
  readonly sender?: Sender;
}

export interface UpstreamOptions {
  /** Deadline of one question, including redirects and tokens, ms; default 1,000. */
  readonly budgetMs?: number;
  readonly circuit?: CircuitOptions;
}

/** A client of upstream registries, with its connections. */
export interface HttpUpstream extends Upstream {
  /** Cancels requests and closes connections. */
  close(): void;
}

type Settings = Cancellable & { readonly credentials?: Credentials };
/** Registries that are warned of, at most. */
const MAX_WARNED = 64;
const CIRCUIT_OPEN: UpstreamAnswer = { type: "unavailable", reason: "circuit-open" };

/**
 * Makes a client of upstream registries. It sends HEAD requests, follows the distribution
 * specification's token flow, shares one request among concurrent callers, and has a circuit
 * breaker per registry.
 */
export function createUpstream(
  { clock, log, endpoints, sender = createSender() }: UpstreamCollaborators,
  options: UpstreamOptions = {},
): HttpUpstream {
  const { budgetMs = 1000 } = options;
  const client = new RegistryClient(sender, clock);
  const circuit = new Circuit(clock, options.circuit);
  const flights = new SingleFlight<UpstreamAnswer>();
  const closing = new AbortController();
  const hash = createCredentialsHash();

  const warn = createWarn(log);

  const ask = async (path: DistributionPath, settings: Settings): Promise<UpstreamAnswer> => {
    using limit = deadline(budgetMs, settings);
    const { registry } = path.reference;
    try {
      const servers = await endpoints?.(registry, limit) ?? [];
      const answer = await askAll(
        client,
        servers.length > 0 ? servers : [defaultEndpoint(registry)],
        {
          path,
          settings: { ...settings, signal: limit.signal },
        },
      );
      return settle(circuit, registry, answer);
    } catch (error) {
      // The caller left, which says nothing about the registry.
      if (settings.signal.aborted) circuit.abandoned(registry);
      settings.signal.throwIfAborted();
      circuit.failed(registry);
      const reason = limit.signal.aborted ? "timeout" : "unreachable";
      if (error instanceof ForbiddenTargetError) warn(registry, error);
      else log.debug("upstream could not be asked", { registry, reason, error: describe(error) });
      return { type: "unavailable", reason };
    }
  };

  return {
    // The caller's signal is followed only where something is awaited: it costs time.
    async head(path, settings) {
      const circuitState = circuit.enter(path.reference.registry);
      const { credentials } = settings;
      const asked = credentials === undefined ? {} : { credentials };
      if (circuitState === "closed") {
        const { signal } = settings;
        signal.throwIfAborted();
        const key = `${hash(credentials)} ${formatDistributionPath(path)}`;
        return await flights.run(key, { signal }, (signal) => ask(path, { ...asked, signal }));
      }
      if (circuitState === "probe") {
        ask(path, { ...asked, signal: closing.signal }).catch((error) => {
          if (!closing.signal.aborted) log.warn("probing upstream failed", { error });
        });
      }
      return CIRCUIT_OPEN;
    },
    close() {
      closing.abort(new DOMException("upstream client is closed", "AbortError"));
      sender[Symbol.dispose]();
    },
  };
}

/** Warns once per registry, and of a bounded number, since clients can make up names. */
function createWarn(log: Log): (registry: string, error: ForbiddenTargetError) => void {
  const warned = new Set<string>();
  return (registry, error) => {
    if (warned.has(registry) || warned.size >= MAX_WARNED) return;
    warned.add(registry);
    log.warn("upstream is not asked where only this node's own configuration may lead", {
      ...{ registry, error: describe(error) },
      fix: "a hosts.toml for it, or its name in --mirrored-registries, if that is where it is",
    });
  };
}

/**
 * The answer of the first server that has the content; else the last server's, as in containerd.
 */
async function askAll(
  client: RegistryClient,
  servers: readonly UpstreamEndpoint[],
  { path, settings }: { readonly path: DistributionPath; readonly settings: Settings },
): Promise<EndpointAnswer> {
  let last: EndpointAnswer = { type: "missing", hidden: false };
  let failure: unknown;
  for (const server of servers) {
    settings.signal.throwIfAborted();
    try {
      last = await client.head(server, path, settings);
      failure = undefined;
      if (last.type === "found") return last;
    } catch (error) {
      failure = error ?? new Error("unknown failure");
    }
  }
  if (failure !== undefined) throw failure;
  return last;
}

function settle(circuit: Circuit, registry: string, answer: EndpointAnswer): UpstreamAnswer {
  switch (answer.type) {
    case "broken":
      // Odd requests of a client must not open a registry's circuit.
      if (answer.answered) circuit.succeeded(registry);
      else circuit.failed(registry);
      return { type: "unavailable", reason: "broken" };
    case "limited":
      circuit.limited(registry, answer.retryAfterMs);
      return { type: "unavailable", reason: "limited" };
    default:
      circuit.succeeded(registry);
      return answer;
  }
}

/** Errors of the runtime's fetch contain the URL, and that of a token request may hold secrets. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return error.message.replaceAll(/\(?https?:\/\/[^\s)]*\)?/g, "(URL)").slice(0, 300);
}
