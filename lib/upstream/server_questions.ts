import type { Credentials } from "../oci/credentials.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { UpstreamAnswer, UpstreamTrouble } from "../ports/access.ts";
import type { Log } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { Circuit, type CircuitOptions, type CircuitState } from "./circuit.ts";
import type { UpstreamEndpoint } from "./endpoint.ts";
import type { EndpointAnswer } from "./endpoint_answer.ts";
import { ForbiddenTargetError, UnresolvedNameError } from "./forbidden_host.ts";
import { asTlsFault, MisconfiguredError } from "./misconfigured_error.ts";
import { RegistryClient } from "./registry_client.ts";
import type { Sender } from "./send.ts";

export interface ServerQuestionsCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly sender: Sender;
}

/** One question, with the signals that cancel it. */
export interface ServerQuestion {
  readonly path: DistributionPath;
  readonly credentials?: Credentials | undefined;
  /** Aborts when the client leaves. */
  readonly client: AbortSignal;
  /** Aborts with `client`, and at the deadline. */
  readonly limit: AbortSignal;
  /** Aborts with `limit`, and when another server has the content. */
  readonly signal: AbortSignal;
}

/** Maximum registries with a warning. */
const MAX_WARNED = 64;
const FORBIDDEN_FIX =
  "a hosts.toml for it, or its name in --mirrored-registries, if that is where it is";

/** Asks servers, with a circuit breaker for each, and logs each misconfiguration once. */
export class ServerQuestions {
  readonly #client: RegistryClient;
  readonly #circuit: Circuit;
  readonly #log: Log;
  readonly #warned = new Set<string>();

  constructor({ clock, log, sender }: ServerQuestionsCollaborators, options?: CircuitOptions) {
    this.#client = new RegistryClient(sender, clock);
    this.#circuit = new Circuit(clock, options);
    this.#log = log;
  }

  /** Tells whether a server may be asked now. */
  enter({ url }: UpstreamEndpoint): CircuitState {
    return this.#circuit.enter(url);
  }

  /** The answer of a server that is not asked. */
  unasked({ url }: UpstreamEndpoint): UpstreamAnswer {
    const because = this.#circuit.lastTrouble(url);
    // Waiting does not mend these.
    return because === "misconfigured" || because === "forbidden"
      ? { type: "unavailable", reason: because }
      : { type: "unavailable", reason: "circuit-open", because };
  }

  /** Asks one server. Rejects only with the reason of `client`. */
  async ask(server: UpstreamEndpoint, question: ServerQuestion): Promise<UpstreamAnswer> {
    const { path, credentials, client, limit, signal } = question;
    const { registry } = path.reference;
    try {
      const asked = credentials === undefined ? { signal } : { signal, credentials };
      return this.#settle(server, registry, await this.#client.head(server, path, asked));
    } catch (error) {
      if (client.aborted || (signal.aborted && !limit.aborted)) {
        // The caller left, or another server answered, which says nothing about this one.
        this.#circuit.abandoned(server.url);
        client.throwIfAborted();
        return { type: "unavailable", reason: "timeout" };
      }
      const fault = faultOf(error);
      const reason = troubleOf(error, fault, limit);
      this.#circuit.failed(server.url, reason);
      if (fault === undefined) this.failed(registry, error, reason);
      else this.#warn(registry, fault);
      return { type: "unavailable", reason };
    }
  }

  /**
   * Asks whether a server answers at all, see {@link RegistryClient.ping}; `missing` if it does. It
   * neither follows the server's circuit nor counts for it: no pull is delayed by the outcome.
   * Rejects only with the reason of `client`.
   */
  async ping(
    server: UpstreamEndpoint,
    registry: string,
    { client, limit, signal }: Omit<ServerQuestion, "path">,
  ): Promise<UpstreamAnswer> {
    try {
      const answer = await this.#client.ping(server, { signal });
      if (answer.type === "missing") return answer;
      const reason = answer.type === "broken" ? "broken" : "misconfigured";
      return { type: "unavailable", reason };
    } catch (error) {
      client.throwIfAborted();
      const fault = faultOf(error);
      const reason = troubleOf(error, fault, limit);
      // Nobody may ever pull from a registry that is forbidden; who does is warned then.
      if (fault === undefined || reason === "forbidden") this.failed(registry, error, reason);
      else this.#warn(registry, fault);
      return { type: "unavailable", reason };
    }
  }

  /** Logs why a registry could not be asked. */
  failed(registry: string, error: unknown, reason: UpstreamTrouble): void {
    this.#log.debug("upstream could not be asked", { registry, reason, error: describe(error) });
  }

  #settle(server: UpstreamEndpoint, registry: string, answer: EndpointAnswer): UpstreamAnswer {
    switch (answer.type) {
      case "broken":
        this.#circuit.failed(server.url, "broken");
        return { type: "unavailable", reason: "broken" };
      case "limited":
        this.#circuit.limited(server.url, answer.retryAfterMs);
        return { type: "unavailable", reason: "limited" };
      case "misconfigured":
      case "rejected":
        if (answer.type === "misconfigured") this.#warn(registry, answer.error);
        // A client must not be able to shut a registry off by odd questions.
        this.#circuit.succeeded(server.url);
        return { type: "unavailable", reason: "misconfigured" };
      default:
        this.#circuit.succeeded(server.url);
        return answer;
    }
  }

  /** Warns once per registry, and of a bounded number, since clients can make up names. */
  #warn(registry: string, error: MisconfiguredError | ForbiddenTargetError): void {
    if (this.#warned.has(registry) || this.#warned.size >= MAX_WARNED) return;
    this.#warned.add(registry);
    const fields = { registry, error: describe(error), cause: describe(error.cause) };
    if (error instanceof ForbiddenTargetError) {
      this.#log.warn("upstream is not asked where only this node's own configuration may lead", {
        ...fields,
        fix: FORBIDDEN_FIX,
      });
    } else {
      this.#log.warn(
        "upstream cannot be asked as it is configured: its images count as private",
        { ...fields, fix: error.fix },
      );
    }
  }
}

function troubleOf(
  error: unknown,
  fault: ReturnType<typeof faultOf>,
  limit: AbortSignal,
): UpstreamTrouble {
  if (fault instanceof ForbiddenTargetError) return "forbidden";
  if (fault !== undefined) return "misconfigured";
  if (error instanceof UnresolvedNameError) return "unresolved";
  return limit.aborted ? "timeout" : "unreachable";
}

function faultOf(error: unknown): MisconfiguredError | ForbiddenTargetError | undefined {
  const isFault = error instanceof MisconfiguredError || error instanceof ForbiddenTargetError;
  return isFault ? error : asTlsFault(error);
}

/** Errors of the runtime's fetch contain the URL, and that of a token request may hold secrets. */
function describe(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  if (!(error instanceof Error)) return typeof error;
  return error.message.replaceAll(/\(?https?:\/\/[^\s)]*\)?/g, "(URL)").slice(0, 300);
}
