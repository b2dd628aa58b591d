import { deadline } from "../async/deadline.ts";
import { SingleFlight } from "../async/single_flight.ts";
import { createCredentialsHash } from "../oci/credentials.ts";
import { type DistributionPath, formatDistributionPath } from "../oci/path.ts";
import type { Reference } from "../oci/reference.ts";
import type { Upstream, UpstreamAnswer } from "../ports/access.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { askServers, heaviest } from "./ask_servers.ts";
import type { CircuitOptions } from "./circuit.ts";
import { defaultEndpoint, type UpstreamEndpoint, type UpstreamEndpoints } from "./endpoint.ts";
import { createSender, type Sender } from "./send.ts";
import { type ServerQuestion, ServerQuestions } from "./server_questions.ts";

export interface UpstreamCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Default: {@link defaultEndpoint} for each registry. */
  readonly endpoints?: UpstreamEndpoints | undefined;
  /** Sends requests; default: over the network. */
  readonly sender?: Sender;
}

/** Settings of {@link createUpstream}. */
export interface UpstreamOptions {
  /** How long one question may take, with all that it needs, ms; default 1,000. */
  readonly budgetMs?: number;
  readonly circuit?: CircuitOptions | undefined;
}

/** A client of upstream registries, with its connections. */
export interface HttpUpstream extends Upstream {
  /**
   * Asks each of a registry's servers whether it answers, by the cheapest question that it answers to
   * anybody. Circuits play no part. Bounded in time; rejects only with the signal's reason.
   *
   * @returns `missing` if all servers answer as registries do, else why one does not.
   */
  ping(registry: string, options: Cancellable): Promise<UpstreamAnswer>;
  /** Cancels requests and closes connections. */
  close(): void;
}

/**
 * Makes a client of upstream registries. It sends HEAD requests, follows the distribution
 * specification's token flow, shares one request among concurrent callers, and has a circuit
 * breaker per server.
 */
export function createUpstream(
  { clock, log, endpoints, sender = createSender() }: UpstreamCollaborators,
  { budgetMs = 1000, circuit }: UpstreamOptions = {},
): HttpUpstream {
  return new UpstreamClient({ clock, log, endpoints, sender }, { budgetMs, circuit });
}

class UpstreamClient implements HttpUpstream {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #endpoints: UpstreamEndpoints | undefined;
  readonly #sender: Sender;
  readonly #budgetMs: number;
  readonly #questions: ServerQuestions;
  readonly #flights = new SingleFlight<UpstreamAnswer>();
  readonly #closing = new AbortController();
  readonly #hash = createCredentialsHash();

  constructor(
    { clock, log, endpoints, sender }: UpstreamCollaborators & { readonly sender: Sender },
    { budgetMs, circuit }: UpstreamOptions & { readonly budgetMs: number },
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#endpoints = endpoints;
    this.#sender = sender;
    this.#budgetMs = budgetMs;
    this.#questions = new ServerQuestions({ clock, log, sender }, circuit);
  }

  async ping(registry: string, { signal: client }: Cancellable): Promise<UpstreamAnswer> {
    const servers = await this.#serversOf({ registry, repository: "" }, { signal: client })
      .catch((): readonly UpstreamEndpoint[] => []);
    client.throwIfAborted();
    if (servers.length === 0) return { type: "unavailable", reason: "misconfigured" };
    using limit = deadline(this.#budgetMs, { signal: client });
    const ask = (server: UpstreamEndpoint, { signal }: Cancellable) =>
      this.#questions.ping(server, registry, { client, limit: limit.signal, signal });
    return await askServers(servers, ask, { signal: limit.signal, clock: this.#clock });
  }

  // The caller's signal is followed only where something is awaited: it costs time.
  async head(
    path: DistributionPath,
    settings: Parameters<Upstream["head"]>[1],
  ): Promise<UpstreamAnswer> {
    const { credentials } = settings;
    const { registry } = path.reference;
    let servers: readonly UpstreamEndpoint[];
    try {
      servers = await this.#serversOf(path.reference, settings);
    } catch (error) {
      settings.signal.throwIfAborted();
      this.#questions.failed(registry, error, "misconfigured");
      return { type: "unavailable", reason: "misconfigured" };
    }
    // containerd cannot pull either.
    if (servers.length === 0) return { type: "unavailable", reason: "misconfigured" };
    const open = this.#enter(servers, { path, credentials });
    if (open.size === servers.length) {
      return heaviest(servers.map((server) => this.#questions.unasked(server)));
    }
    const key = `${this.#hash(credentials)} ${formatDistributionPath(path)}`;
    return await this.#flights.run(key, settings, async (client) => {
      using limit = deadline(this.#budgetMs, { signal: client });
      const question = { path, credentials, client, limit: limit.signal };
      const ask = (server: UpstreamEndpoint, { signal }: Cancellable) =>
        open.has(server)
          ? Promise.resolve(this.#questions.unasked(server))
          : this.#questions.ask(server, { ...question, signal });
      return await askServers(servers, ask, { signal: limit.signal, clock: this.#clock });
    });
  }

  close(): void {
    this.#closing.abort(new DOMException("upstream client is closed", "AbortError"));
    this.#sender[Symbol.dispose]();
  }

  async #serversOf(
    { registry, digest }: Reference,
    options: Cancellable,
  ): Promise<readonly UpstreamEndpoint[]> {
    const known = await this.#endpoints?.(registry, options) ?? [];
    const servers = known.length > 0 ? known : [defaultEndpoint(registry)];
    return distinct(servers.filter(({ pulls, resolves }) => (digest ? pulls : resolves) ?? true));
  }

  /** Returns the servers with an open circuit, and probes one that is due in the background. */
  #enter(
    servers: readonly UpstreamEndpoint[],
    question: Pick<ServerQuestion, "path" | "credentials">,
  ): ReadonlySet<UpstreamEndpoint> {
    const open = new Set<UpstreamEndpoint>();
    for (const server of servers) {
      const circuitState = this.#questions.enter(server);
      if (circuitState !== "closed") open.add(server);
      if (circuitState !== "probe") continue;
      this.#probe(server, question).catch((error) => {
        if (!this.#closing.signal.aborted) this.#log.warn("probing upstream failed", { error });
      });
    }
    return open;
  }

  async #probe(
    server: UpstreamEndpoint,
    question: Pick<ServerQuestion, "path" | "credentials">,
  ): Promise<void> {
    using limit = deadline(this.#budgetMs, this.#closing);
    const signals = { client: this.#closing.signal, limit: limit.signal, signal: limit.signal };
    await this.#questions.ask(server, { ...question, ...signals });
  }
}

/**
 * Servers that differ: a registry's server is often one of its hosts, too. It is asked once, and its
 * failure counts once.
 */
function distinct(servers: readonly UpstreamEndpoint[]): readonly UpstreamEndpoint[] {
  if (servers.length < 2) return servers;
  const first = new Map<string, UpstreamEndpoint>();
  for (const server of servers) {
    const { pulls: _pulls, resolves: _resolves, named: _named, ...rest } = server;
    const key = JSON.stringify(rest);
    if (!first.has(key)) first.set(key, server);
  }
  return [...first.values()];
}
