import { LRUCache } from "lru-cache";
import { Admission } from "./admission.ts";
import { OpenFiles } from "./open_files.ts";
import { isLoopback } from "./ip.ts";

/**
 * Shares of the open file limit. A blob that is served needs a file besides its socket; the
 * remainder is for the agent's own files, containerd, upstream, and requests to peers.
 */
const HTTP_REMOTE = 0.2;
const HTTP_LOCAL = 0.15;
const ROUTER = 0.2;
/** For remote clients: more than a few addresses can fill, each at the minimum per address. */
const PAGES_REMOTE = 0.08;
const PAGES_LOCAL = 0.03;
/** TLS handshakes in progress, which cannot be cancelled, see `TlsAcceptor`. */
const HANDSHAKES = 0.1;
/** More are useless: a thousand nodes, each with one router connection, and as many clients. */
const MAX_CONNECTIONS = 1024;
/** Minimum of each limit. */
const MIN_CONNECTIONS = 4;
/** containerd requests several layers at once. */
const MIN_LOCAL = 8;
/**
 * Share of one address: a node requests several blobs, each over a connection; see the peers' pool.
 */
const SHARE_PER_ADDRESS = 0.25;
const MAX_PER_ADDRESS = 128;

/** Cached answers of `isLocal`, and their lifetime, ms: a flood brings many addresses. */
const MAX_KNOWN = 1024;
const KNOWN_MS = 5000;

/** Bounds the connections of an HTTP server. */
export type ServerConnections = Pick<ConnectionBudget, "http" | "takesHandshake">;

/** Bounds this process's connections by its open file limit. */
export class ConnectionBudget {
  /** For all HTTP servers except that of {@link pages}. */
  readonly http: Admission;
  /**
   * For the server of probes, metrics and pages. Its responses are small, so each connection is
   * soon idle and can be evicted; a server of blobs has clients that read slowly and keep theirs.
   */
  readonly pages: ServerConnections;
  /** For the router. */
  readonly router: Admission;
  readonly #files: OpenFiles;

  readonly #raise: () => boolean;

  /** @param isLocal tells whether an address belongs to this node; loopback always does. */
  constructor(isLocal: (address: string) => boolean = () => false, files = new OpenFiles()) {
    this.#files = files;
    const raise = this.#raise = () => files.grow(this.#size);
    const known = new LRUCache<string, boolean>({ max: MAX_KNOWN, ttl: KNOWN_MS });
    const local = (address: string) =>
      isLoopback(address) || (known.get(address) ?? remember(known, address, isLocal(address)));
    this.http = new Admission({
      raise,
      isLocal: local,
      limits: () => ({
        local: this.#part(HTTP_LOCAL, MIN_LOCAL),
        ...this.#remote(HTTP_REMOTE),
      }),
    });
    const pages = new Admission({
      raise,
      isLocal: local,
      limits: () => ({
        local: this.#part(PAGES_LOCAL, MIN_LOCAL),
        ...this.#remote(PAGES_REMOTE),
      }),
    });
    this.pages = { http: pages, takesHandshake: (underWay) => this.takesHandshake(underWay) };
    this.router = new Admission({
      raise,
      // No client on this node needs a reserved place at the router.
      isLocal: () => false,
      limits: () => ({ local: 0, ...this.#remote(ROUTER) }),
    });
  }

  /** Connections that the router may use; undefined: unlimited. */
  get routerConnections(): number | undefined {
    return this.#files.complete ? this.#part(ROUTER, MIN_CONNECTIONS) : undefined;
  }

  /** Whether another handshake may begin beside those in progress. */
  takesHandshake(underWay: number): boolean {
    while (underWay >= this.#part(HANDSHAKES, MIN_CONNECTIONS)) if (!this.#raise()) return false;
    return true;
  }

  get #size(): number {
    return this.http.size + this.pages.http.size + this.router.size;
  }

  #part(part: number, min: number): number {
    return Math.min(Math.max(Math.floor(part * this.#files.known), min), MAX_CONNECTIONS);
  }

  #remote(part: number): { remote: number; perAddress: number } {
    const remote = this.#part(part, MIN_CONNECTIONS);
    const perAddress = Math.max(Math.floor(SHARE_PER_ADDRESS * remote), MIN_CONNECTIONS);
    return { remote, perAddress: Math.min(perAddress, MAX_PER_ADDRESS) };
  }
}

function remember(known: LRUCache<string, boolean>, address: string, isLocal: boolean): boolean {
  known.set(address, isLocal);
  return isLocal;
}
