import { withoutBrackets } from "../net/host_port.ts";
import { isLoopback } from "../net/ip.ts";
import { DEFAULT_DHT_PREFIX } from "../oci/peer_protocol.ts";

/** Settings of the router. Fields that are left out get a default. */
export interface RouterOptions {
  /**
   * Where to listen. An empty host is every interface, IPv4 and IPv6. A loopback host makes
   * loopback addresses announced. Port 0 picks a free one (not together with an empty host).
   */
  readonly listen: { readonly host: string; readonly port: number };
  /** Port of every peer's registry; or how to tell it from the port of the peer's router. */
  readonly registryPort: number | ((routerPort: number) => number);
  /** Times that are left out are those of this network; default `lan`. */
  readonly network?: NetworkProfile;
  /** Directory of the identity; without it, the node gets a new identity at each start. */
  readonly dataDir?: string | undefined;
  /** Prefix of the DHT's protocol; nodes with different prefixes never meet. */
  readonly protocolPrefix?: string;
  /**
   * Only nodes that have one of these secrets in common are met, at least 32 characters each; empty:
   * everybody is.
   */
  readonly secrets?: readonly string[] | undefined;
  /** Uses peers' loopback addresses; default: only if the listen host is one. */
  readonly allowLoopback?: boolean;
  /** How long records of other nodes live, ms. */
  readonly recordTtlMs?: number;
  /** How often each own key is announced anew, ms; well inside every node's record lifetime. */
  readonly reprovideIntervalMs?: number;
  /** How long a TCP connection to one address of a peer may take, ms. */
  readonly connectTimeoutMs?: number;
  /** How long one address of a peer is tried, handshakes included, ms. */
  readonly dialTimeoutMs?: number;
  /** How long an answer of a peer's DHT is waited for, ms; a dial may be part of it. */
  readonly requestTimeoutMs?: number;
  /** How long a whole lookup may take, ms. */
  readonly lookupTimeoutMs?: number;
  /** Connections that are kept; for a while there may be twice as many. */
  readonly maxConnections?: number | undefined;
  /** Records of other nodes kept in all. */
  readonly maxRecords?: number;
  /** Records kept of one other node. */
  readonly maxRecordsPerPeer?: number;
  /** How often each known peer is pinged, ms; longer when there are many. */
  readonly pingIntervalMs?: number;
  /** Agrees with other nodes on who gets content from upstream that nobody has. */
  readonly rollout?: boolean;
  /** Zone of this node, asked for each time: others of that zone are followed first. */
  readonly zone?: () => string | undefined;
  /** Ready at the latest so long after the start, ms. */
  readonly readyTimeoutMs?: number;
}

/** Defaults of {@link RouterOptions}, apart from those of {@link NETWORK_PROFILES}. */
export const ROUTER_DEFAULTS = {
  protocolPrefix: DEFAULT_DHT_PREFIX,
  secrets: [],
  /** Spegel announces every 15 minutes, up to 2 minutes late twice. */
  recordTtlMs: 19 * 60_000,
  reprovideIntervalMs: 10 * 60_000,
  maxConnections: 300,
  maxRecords: 500_000,
  maxRecordsPerPeer: 50_000,
  readyTimeoutMs: 2000,
  rollout: false,
} as const;

/** What of {@link RouterOptions} depends on the network between the nodes. */
type NetworkTimes = Required<
  Pick<
    RouterOptions,
    "connectTimeoutMs" | "dialTimeoutMs" | "requestTimeoutMs" | "lookupTimeoutMs" | "pingIntervalMs"
  >
>;

/** Times that suit one room, sites with tens of milliseconds between them, and bad lines. */
export const NETWORK_PROFILES = {
  lan: {
    connectTimeoutMs: 200,
    dialTimeoutMs: 1000,
    requestTimeoutMs: 400,
    lookupTimeoutMs: 2000,
    pingIntervalMs: 2000,
  },
  wan: {
    connectTimeoutMs: 1000,
    dialTimeoutMs: 3000,
    requestTimeoutMs: 1500,
    lookupTimeoutMs: 5000,
    pingIntervalMs: 5000,
  },
  edge: {
    connectTimeoutMs: 3000,
    dialTimeoutMs: 10_000,
    requestTimeoutMs: 5000,
    lookupTimeoutMs: 15_000,
    pingIntervalMs: 15_000,
  },
} as const satisfies Record<string, NetworkTimes>;

/** The name of a set of times. */
export type NetworkProfile = keyof typeof NETWORK_PROFILES;

/** Router options with every default filled in. */
export type ResolvedRouterOptions =
  & Required<Defined<Omit<RouterOptions, "dataDir" | "zone">>>
  & Pick<RouterOptions, "dataDir" | "zone">;

/** Without fields that are undefined. */
type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Fills in the defaults and checks the ranges. @throws {RangeError} naming the field. */
export function resolveRouterOptions(
  options: RouterOptions,
): ResolvedRouterOptions {
  const resolved = {
    ...ROUTER_DEFAULTS,
    network: "lan" as const,
    ...NETWORK_PROFILES[options.network ?? "lan"],
    allowLoopback: options.listen.host === "localhost" ||
      isLoopback(withoutBrackets(options.listen.host)),
    ...withoutUndefined(options),
  };
  for (const [name, value] of Object.entries(resolved)) {
    const isLimit = typeof value === "number" && name !== "registryPort";
    if (isLimit && !(Number.isFinite(value) && value > 0)) {
      throw new RangeError(`router option ${name} is ${value}, want a number above 0`);
    }
  }
  const { host, port } = resolved.listen;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`router option listen.port is ${port}, want 0 to 65535`);
  }
  if (host === "" && port === 0) {
    throw new RangeError("router option listen.port is 0, want a port when the host is empty");
  }
  if (!/^(\/[\w.-]+)+$/.test(resolved.protocolPrefix)) {
    throw new RangeError(
      `router option protocolPrefix is ${resolved.protocolPrefix}, want a path such as /spegel`,
    );
  }
  return resolved;
}

function withoutUndefined<T extends object>(options: T): Defined<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<T>;
}
