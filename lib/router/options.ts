import { withoutBrackets } from "../net/host_port.ts";
import { isLoopback } from "../net/ip.ts";
import { DEFAULT_DHT_PREFIX } from "../oci/peer_protocol.ts";

/** Settings of the router. Omitted fields have defaults. */
export interface RouterOptions {
  /**
   * Where to listen. An empty host is every interface, IPv4 and IPv6. A loopback host makes
   * loopback addresses announced. Port 0 picks a free one (not together with an empty host).
   */
  readonly listen: { readonly host: string; readonly port: number };
  /** Port of every peer's registry, or a function of the port of the peer's router. */
  readonly registryPort: number | ((routerPort: number) => number);
  /** Profile with the defaults of the times below; default `lan`. */
  readonly network?: NetworkProfile;
  /**
   * Directory of the identity and of the last known peers; without it, the node gets a new identity
   * at each start and knows nobody.
   */
  readonly dataDir?: string | undefined;
  /**
   * Names the source of bootstrap peers: the last known peers are kept in the data directory, and
   * used for as long as the source is the same. Default: they are not kept.
   */
  readonly bootstrapSource?: string | undefined;
  /** Prefix of the DHT's protocol; nodes with different prefixes stay separate. */
  readonly protocolPrefix?: string;
  /**
   * Secrets of a closed network, at least 32 characters each: only nodes that share one can
   * connect; empty: all nodes can.
   */
  readonly secrets?: readonly string[] | undefined;
  /** Uses peers' loopback addresses; default: only if the listen host is one. */
  readonly allowLoopback?: boolean;
  /** Lifetime of other nodes' records, ms. */
  readonly recordTtlMs?: number;
  /**
   * Interval at which each own key is announced again, ms; well within every node's record
   * lifetime.
   */
  readonly reprovideIntervalMs?: number;
  /** Deadline of a TCP connection to one address of a peer, ms. */
  readonly connectTimeoutMs?: number;
  /** Deadline of a dial to one address of a peer, handshakes included, ms. */
  readonly dialTimeoutMs?: number;
  /** Deadline of an answer of a peer's DHT, ms, including a dial. */
  readonly requestTimeoutMs?: number;
  /** Deadline of a whole lookup, ms. */
  readonly lookupTimeoutMs?: number;
  /** Connections to keep; for a while there may be twice as many. */
  readonly maxConnections?: number | undefined;
  /** Maximum records of other nodes, in total. */
  readonly maxRecords?: number;
  /** Maximum records of one other node. */
  readonly maxRecordsPerPeer?: number;
  /** Interval at which each known peer is pinged, ms; longer with many peers. */
  readonly pingIntervalMs?: number;
  /** Whether to agree with other nodes on who fetches content from upstream that no node has. */
  readonly rollout?: boolean;
  /** Returns this node's zone: parents in the same zone are preferred. */
  readonly zone?: () => string | undefined;
  /** Time after which the router counts as ready even if no peer is known, ms. */
  readonly readyTimeoutMs?: number;
}

/** Defaults of {@link RouterOptions}, except those of {@link NETWORK_PROFILES}. */
const ROUTER_DEFAULTS = {
  protocolPrefix: DEFAULT_DHT_PREFIX,
  secrets: [],
  /**
   * Spegel announces every 15 minutes, and each of two announcements may be up to 2 minutes late.
   */
  recordTtlMs: 19 * 60_000,
  reprovideIntervalMs: 10 * 60_000,
  maxConnections: 300,
  maxRecords: 500_000,
  maxRecordsPerPeer: 50_000,
  /** Longer than cluster DNS usually names pods that are gone, 30 s. */
  readyTimeoutMs: 35_000,
  rollout: false,
} as const;

/** The part of {@link RouterOptions} that depends on the network between the nodes. */
type NetworkTimes = Required<
  Pick<
    RouterOptions,
    "connectTimeoutMs" | "dialTimeoutMs" | "requestTimeoutMs" | "lookupTimeoutMs" | "pingIntervalMs"
  >
>;

/** Times for one room, for sites tens of milliseconds apart, and for bad lines. */
const NETWORK_PROFILES = {
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

/** The name of a profile. */
export type NetworkProfile = keyof typeof NETWORK_PROFILES;

/** Router options with every default filled in. */
export type ResolvedRouterOptions =
  & Required<Defined<Omit<RouterOptions, OptionalOption>>>
  & Pick<RouterOptions, OptionalOption>;

type OptionalOption = "dataDir" | "bootstrapSource" | "zone";

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Fills in the defaults and validates the ranges. @throws {RangeError} with the field's name. */
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
