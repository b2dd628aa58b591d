import { deadline } from "../async/deadline.ts";
import { SingleFlight } from "../async/single_flight.ts";
import { createCredentialsHash } from "../oci/credentials.ts";
import { formatDistributionPath } from "../oci/path.ts";
import type { Reference } from "../oci/reference.ts";
import type { Upstream, UpstreamAnswer } from "../ports/access.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import { askServers, heaviest } from "./ask_servers.ts";
import type { CircuitOptions } from "./circuit.ts";
import { defaultEndpoint, type UpstreamEndpoint, type UpstreamEndpoints } from "./endpoint.ts";
import { createSender, type Sender } from "./send.ts";
import { type ServerQuestion, ServerQuestions } from "./server_questions.ts";

export interface UpstreamCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Default: {@link defaultEndpoint} for each registry. */
  readonly endpoints?: UpstreamEndpoints;
  /** Sends requests; default: over the network. */
  readonly sender?: Sender;
}

/** Settings of {@link createUpstream}. */
export interface UpstreamOptions {
  /** How long one question may take, with all that it needs, ms; default 1,000. */
  readonly budgetMs?: number;
  readonly circuit?: CircuitOptions;
}

/** Registries of origin, and what is held for asking them. */
export interface HttpUpstream extends Upstream {
  /** Ends what is under way and closes connections. */
  close(): void;
}

/**
 * Makes a client of upstream registries. It sends HEAD requests, follows the distribution
 * specification's token flow, shares one request among concurrent callers, and has a circuit
 * breaker per server.
 */
export function createUpstream(
  { clock, log, endpoints, sender = createSender() }: UpstreamCollaborators,
  options: UpstreamOptions = {},
): HttpUpstream {
  const { budgetMs = 1000 } = options;
  const questions = new ServerQuestions({ clock, log, sender }, options.circuit);
  const flights = new SingleFlight<UpstreamAnswer>();
  const closing = new AbortController();
  const hash = createCredentialsHash();

  const serversOf = async ({ registry, digest }: Reference, settings: Cancellable) => {
    const known = await endpoints?.(registry, settings) ?? [];
    const servers = known.length > 0 ? known : [defaultEndpoint(registry)];
    return servers.filter(({ pulls, resolves }) => (digest ? pulls : resolves) ?? true);
  };

  const probe = async (
    server: UpstreamEndpoint,
    question: Pick<ServerQuestion, "path" | "credentials">,
  ) => {
    using limit = deadline(budgetMs, closing);
    const signals = { client: closing.signal, limit: limit.signal, signal: limit.signal };
    await questions.ask(server, { ...question, ...signals });
  };

  return {
    // The caller's signal is followed only where something is awaited: it costs time.
    async head(path, settings) {
      const { credentials } = settings;
      const { registry } = path.reference;
      let servers: readonly UpstreamEndpoint[];
      try {
        servers = await serversOf(path.reference, settings);
      } catch (error) {
        settings.signal.throwIfAborted();
        questions.failed(registry, error, "misconfigured");
        return { type: "unavailable", reason: "misconfigured" };
      }
      // containerd, too, can then pull nothing.
      if (servers.length === 0) return { type: "unavailable", reason: "misconfigured" };
      const open = new Set<UpstreamEndpoint>();
      for (const server of servers) {
        const circuitState = questions.enter(server);
        if (circuitState !== "closed") open.add(server);
        if (circuitState !== "probe") continue;
        probe(server, { path, credentials }).catch((error) => {
          if (!closing.signal.aborted) log.warn("probing upstream failed", { error });
        });
      }
      if (open.size === servers.length) {
        return heaviest(servers.map((server) => questions.unasked(server)));
      }
      const key = `${hash(credentials)} ${formatDistributionPath(path)}`;
      return await flights.run(key, settings, async (client) => {
        using limit = deadline(budgetMs, { signal: client });
        const question = { path, credentials, client, limit: limit.signal };
        const ask = (server: UpstreamEndpoint, { signal }: Cancellable) =>
          open.has(server)
            ? Promise.resolve(questions.unasked(server))
            : questions.ask(server, { ...question, signal });
        return await askServers(servers, ask, { signal: limit.signal, clock });
      });
    },
    close() {
      closing.abort(new DOMException("upstream client is closed", "AbortError"));
      sender[Symbol.dispose]();
    },
  };
}
