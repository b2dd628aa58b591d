import { LRUCache } from "lru-cache";
import type { UpstreamEndpoint } from "./endpoint.ts";
import type { EndpointAnswer } from "./endpoint_answer.ts";
import { asTlsFault } from "./misconfigured_error.ts";

/** Servers whose choice is remembered. */
const MAX_SERVERS = 256;

/**
 * Chooses among several client certificates the one that a server accepts: Go finds it by what the
 * server says of its authorities, which the runtime does not tell.
 */
export class ClientChoice {
  /** Place of the certificate that was accepted last, by the server's URL. */
  readonly #accepted = new LRUCache<string, number>({ max: MAX_SERVERS });

  /**
   * Asks a server with one certificate after the other, until it neither breaks off TLS nor rejects
   * the request.
   *
   * @throws what `ask` throws for the last one.
   */
  async use(
    endpoint: UpstreamEndpoint,
    ask: (endpoint: UpstreamEndpoint) => Promise<EndpointAnswer>,
  ): Promise<EndpointAnswer> {
    const { url, client, otherClients = [] } = endpoint;
    if (otherClients.length === 0) return await ask(endpoint);
    const clients = [client, ...otherClients];
    const first = this.#accepted.get(url) ?? 0;
    for (let tried = 0;; tried++) {
      const place = (first + tried) % clients.length;
      const isLast = tried === clients.length - 1;
      try {
        const answer = await ask({ ...endpoint, client: clients[place] });
        if (answer.type === "rejected" && !isLast) continue;
        this.#accepted.set(url, place);
        return answer;
      } catch (error) {
        if (isLast || asTlsFault(error) === undefined) throw error;
      }
    }
  }
}
