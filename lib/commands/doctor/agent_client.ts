import { createHttpClient } from "../../net/http_client.ts";
import { deadline } from "../../async/deadline.ts";
import type { Config } from "../../config/options.ts";
import type { AdvertisedContent, Overview } from "../../observability/debug/debug_source.ts";
import type { Measurement } from "../../observability/debug/measure.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/media_type.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { messageOf } from "../../async/thrown.ts";
import { readLimited } from "../../net/bytes.ts";
import { localUrl } from "../../net/host_port.ts";

/** The parts of an answer that the checks use. */
export interface AgentReply {
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;
  /** Why there was no answer. */
  readonly error: string;
  readonly headers: Headers;
  /** At most 4 MiB; empty for HEAD. */
  readonly body: Uint8Array;
}

/** Timeout of the agent's answers, ms. */
const REQUEST_MS = 5_000;
/** Timeout of a peer's answers, which may take a pull, ms. */
export const PEER_REQUEST_MS = 10_000;

/** Asks this node's agent, and peers. */
export class AgentClient {
  /** Base URLs of the agent in containerd's configuration. */
  readonly targets: readonly string[];
  readonly #metricsUrl: string;
  /** Header with the configured credentials; undefined: none. */
  readonly authorization: string | undefined;
  readonly #options: Cancellable;

  constructor(config: Config, authorization: string | undefined, options: Cancellable) {
    const { mirrorTargets, registryAddr, metricsAddr } = config;
    this.targets = mirrorTargets.length > 0 ? mirrorTargets : [localUrl(registryAddr)];
    this.#metricsUrl = localUrl(metricsAddr);
    this.authorization = authorization;
    this.#options = options;
  }

  /** URL of the debug pages. */
  get pagesUrl(): string {
    return `${this.#metricsUrl}/debug/`;
  }

  /** The agent's readiness. */
  readiness(): Promise<AgentReply> {
    return this.#request(`${this.#metricsUrl}/readyz`);
  }

  /** Undefined if the debug pages are off. */
  overview(): Promise<Overview | undefined> {
    return this.#json("overview");
  }

  /** What the agent advertises; undefined if the debug pages are off. */
  content(): Promise<readonly AdvertisedContent[] | undefined> {
    return this.#json("content");
  }

  /** The other holders of a key; undefined if the lookup failed. */
  holders(key: string): Promise<Measurement | undefined> {
    return this.#json(`measure?pull=false&image=${encodeURIComponent(key)}`);
  }

  /** Asks the registry of this node or another, with the configured credentials. */
  registry(
    url: string,
    { range, timeoutMs }: { readonly range?: string | undefined; readonly timeoutMs?: number } = {},
  ): Promise<AgentReply> {
    const headers = {
      ...(this.authorization === undefined ? {} : { authorization: this.authorization }),
      ...(range === undefined ? {} : { range }),
    };
    return this.#request(url, { headers }, timeoutMs);
  }

  async #json<T>(path: string): Promise<T | undefined> {
    const { status, body } = await this.#request(`${this.#metricsUrl}/debug/api/${path}`);
    if (status !== 200) return undefined;
    return JSON.parse(new TextDecoder().decode(body)) as T;
  }

  async #request(url: string, init: RequestInit = {}, timeoutMs = REQUEST_MS): Promise<AgentReply> {
    using limit = deadline(timeoutMs, this.#options);
    try {
      // Requests to nodes do not use the proxy of the environment.
      using client = createHttpClient(new URL(url), undefined);
      const response = await fetch(url, {
        ...init,
        client,
        redirect: "manual",
        signal: limit.signal,
      });
      const { status, headers } = response;
      return { status, headers, error: "", body: await readLimited(response, MAX_BODY_BYTES) };
    } catch (error) {
      this.#options.signal.throwIfAborted();
      return { ...NO_REPLY, error: reason(error) };
    }
  }
}

/** The reason in a registry's error body; empty if it has none. */
export function refusalOf({ body }: AgentReply): string {
  try {
    const { errors } = JSON.parse(new TextDecoder().decode(body));
    return String(errors?.[0]?.detail?.reason ?? "");
  } catch {
    return "";
  }
}

/** No request was made. */
export const NO_REPLY: AgentReply = {
  status: undefined,
  error: "",
  headers: new Headers(),
  body: new Uint8Array(),
};

/** Lists of content may be long. */
const MAX_BODY_BYTES = 16 * MAX_MANIFEST_BYTES;

/** The innermost cause is the most specific. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = messageOf(cause);
  const system = /(connection refused|timed out|no route to host|network is unreachable)/i.exec(
    text,
  );
  return system?.[1]?.toLowerCase() ?? text;
}
