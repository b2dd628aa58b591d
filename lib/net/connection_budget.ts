import { LRUCache } from "lru-cache";
import { Admission } from "./admission.ts";
import { OpenFiles } from "./open_files.ts";
import { isLoopback } from "./socket_address.ts";

/**
 * What part of the files that may be open goes to whom. A blob that is sent takes a file besides its
 * socket; what nobody gets is for the agent's own: files, containerd, upstream, peers that it asks.
 */
const HTTP_STRANGERS = 0.2;
const HTTP_LOCALS = 0.15;
const ROUTER = 0.2;
/** Of strangers: more than a few addresses can fill, each with the fewest that are let in. */
const PAGES_STRANGERS = 0.08;
const PAGES_LOCALS = 0.03;
/** Handshakes of TLS that are under way: they cannot be ended, see `TlsAcceptor`. */
const HANDSHAKES = 0.1;
/** More are of no use: a thousand nodes, each with one router, and as many clients. */
const MOST = 1024;
/** Fewer would be none. */
const FEWEST = 4;
/** containerd asks for several layers at once. */
const FEWEST_LOCALS = 8;
/** Of one address: a node asks for several blobs, each over a connection; see the peers' pool. */
const PART_OF_ADDRESS = 0.25;
const MOST_OF_ADDRESS = 128;

/** Addresses that are known to be this node's, or not, and how long, ms: floods bring many. */
const MAX_KNOWN = 1024;
const KNOWN_MS = 5000;

/** Bounds the connections of an HTTP server. */
export type ServerConnections = Pick<ConnectionBudget, "http" | "takesHandshake">;

/** Bounds the connections that this process takes by the files that it may have open. */
export class ConnectionBudget {
  /** For all HTTP servers together but that of {@link pages}. */
  readonly http: Admission;
  /**
   * For the server of probes, metrics and pages. Its answers are small, so that each connection is
   * soon idle and makes room; where blobs are sent, clients that do not read keep theirs.
   */
  readonly pages: ServerConnections;
  /** For the router. */
  readonly router: Admission;
  readonly #files: OpenFiles;

  readonly #raise: () => boolean;

  /** @param isLocal tells whether an address is one of this node; loopback is in any case. */
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
        locals: this.#part(HTTP_LOCALS, FEWEST_LOCALS),
        ...this.#strangers(HTTP_STRANGERS),
      }),
    });
    const pages = new Admission({
      raise,
      isLocal: local,
      limits: () => ({
        locals: this.#part(PAGES_LOCALS, FEWEST_LOCALS),
        ...this.#strangers(PAGES_STRANGERS),
      }),
    });
    this.pages = { http: pages, takesHandshake: (underWay) => this.takesHandshake(underWay) };
    this.router = new Admission({
      raise,
      // Nobody on this node needs its router in particular.
      isLocal: () => false,
      limits: () => ({ locals: 0, ...this.#strangers(ROUTER) }),
    });
  }

  /** Connections that the router may count on; undefined: as many as it likes. */
  get routerConnections(): number | undefined {
    return this.#files.complete ? this.#part(ROUTER, FEWEST) : undefined;
  }

  /** Whether another handshake may begin beside so many. */
  takesHandshake(underWay: number): boolean {
    while (underWay >= this.#part(HANDSHAKES, FEWEST)) if (!this.#raise()) return false;
    return true;
  }

  get #size(): number {
    return this.http.size + this.pages.http.size + this.router.size;
  }

  #part(part: number, fewest: number): number {
    return Math.min(Math.max(Math.floor(part * this.#files.known), fewest), MOST);
  }

  #strangers(part: number): { strangers: number; perAddress: number } {
    const strangers = this.#part(part, FEWEST);
    const perAddress = Math.max(Math.floor(PART_OF_ADDRESS * strangers), FEWEST);
    return { strangers, perAddress: Math.min(perAddress, MOST_OF_ADDRESS) };
  }
}

function remember(known: LRUCache<string, boolean>, address: string, isLocal: boolean): boolean {
  known.set(address, isLocal);
  return isLocal;
}
