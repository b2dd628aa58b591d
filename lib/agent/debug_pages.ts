import { hostname } from "node:os";
import type { Advertiser } from "../advertiser/advertiser.ts";
import { describeConfig } from "../config/describe.ts";
import type { Config } from "../config/options.ts";
import type { PeerHealthReport } from "../mirror/selection/peer_health.ts";
import { createDebugApp, type DebugAppCollaborators } from "../observability/debug/debug_app.tsx";
import type {
  Condition,
  DebugSource,
  Overview,
  PeerView,
  RolloutView,
  Setting,
} from "../observability/debug/debug_source.ts";
import type { Check } from "../ports/check.ts";
import { createMeasure } from "../observability/debug/measure.ts";
import { formatBytes } from "../observability/debug/format.ts";
import type { RequestRing } from "../observability/debug/request_ring.ts";
import type { Traffic } from "../observability/debug/traffic.ts";
import { maskUserInfo, SECRET } from "../observability/log.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Mirror } from "../ports/mirror.ts";
import type { Peer, Router } from "../ports/router.ts";
import { VERSION } from "../version.ts";

/** Collaborators of {@link createDebugPages}. */
export interface DebugPagesCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly config: Config;
  readonly router: Pick<Router, "peers" | "lookup"> & {
    readonly id: string;
    readonly elections?: { rollouts(): readonly RolloutView[] } | undefined;
  };
  readonly mirror: Mirror & { health(): readonly PeerHealthReport[] };
  readonly advertiser: Pick<Advertiser, "advertised" | "counts">;
  readonly integrity: { readonly damaged: number };
  /** What a lease keeps; undefined: the runtime keeps layers by itself. */
  readonly layers?: { totals(): { readonly layers: number; readonly bytes: number } } | undefined;
  readonly filter: ReferenceFilter;
  readonly traffic: Traffic;
  readonly unaskedRegistries: () => Overview["unaskedRegistries"];
  readonly requests: RequestRing;
  /** Zone of the node; undefined until it is known. */
  readonly topology: () => { readonly zone?: string | undefined } | undefined;
  readonly conditions: () => readonly Condition[];
  /** Runs the doctor's checks. */
  readonly checks: (options: Cancellable) => Promise<readonly Check[]>;
  /** Who may see private names; undefined: there are none. */
  readonly privacy?: DebugAppCollaborators["privacy"] | undefined;
}

/** How long results of the checks are reused, ms: the checks cost containerd work. */
const CHECKS_TTL_MS = 5_000;

/** Creates the debug pages of an agent. */
export function createDebugPages(collaborators: DebugPagesCollaborators) {
  const { config, advertiser, requests, log, privacy } = collaborators;
  const startedAt = new Date();
  const settings = describeSettings(config);
  const source: DebugSource = {
    overview: () => overview(collaborators, startedAt),
    advertised: () => advertiser.advertised(),
    requests: () => requests.newestFirst(),
    settings: () => settings,
    checks: cached(collaborators.checks, collaborators.clock),
    measure: createMeasure(collaborators),
  };
  return createDebugApp({ source, log, privacy });
}

function overview(collaborators: DebugPagesCollaborators, startedAt: Date): Overview {
  const { config, router, advertiser, traffic, conditions } = collaborators;
  return {
    version: VERSION,
    id: router.id,
    node: hostname(),
    zone: collaborators.topology()?.zone,
    startedAt,
    conditions: conditions(),
    facts: facts(config, collaborators),
    peers: peerViews(collaborators),
    advertised: advertiser.counts(),
    totals: traffic.totals(),
    unaskedRegistries: collaborators.unaskedRegistries(),
    rollouts: router.elections?.rollouts(),
  };
}

type Facts = [label: string, value: string][];

function facts(
  config: Config,
  { integrity: { damaged }, layers }: Pick<DebugPagesCollaborators, "integrity" | "layers">,
): Facts {
  const kept = layers?.totals();
  const value = new Map(describeConfig(config, "agent").map(({ key, value }) => [key, value]));
  return [
    ["Registry", value.get("registryAddr") ?? ""],
    ["Router", value.get("routerAddr") ?? ""],
    ["Store", value.get("store") || "containerd"],
    ["Bootstrap", value.get("bootstrapKind") || "none"],
    ["DHT prefix", value.get("dhtPrefix") ?? ""],
    ...(kept === undefined
      ? []
      : [["Kept layers", `${kept.layers}, ${formatBytes(kept.bytes)}`]] satisfies Facts),
    ...(damaged > 0 ? [["Damaged content", `${damaged}, see the log`]] satisfies Facts : []),
  ];
}

/** Peers of the routing table, and those that left after they exchanged content with this node. */
function peerViews({ router, mirror, traffic }: DebugPagesCollaborators): PeerView[] {
  const health = new Map(mirror.health().map((each) => [each.id, each]));
  const known = router.peers();
  const ids = new Set(known.map(({ id }) => id));
  const sharing = sharedAddresses(known);
  const left = [...health.values()].filter(({ id, address }) => !ids.has(id) && address)
    .map(({ id, address = "" }): Peer => ({ id, addresses: [address], registryPort: 0 }));
  return [...known, ...left].map(({ id, addresses, registryPort }): PeerView => {
    const seen = health.get(id);
    return {
      id,
      addresses,
      registryPort,
      latencyMs: seen?.ttfbMs,
      bytesPerSecond: seen?.bytesPerSecond,
      bytesFrom: traffic.from(id),
      // Bytes sent to an address that several peers share are counted for none of them.
      bytesTo: addresses.filter((address) => !sharing.has(address))
        .reduce((sum, address) => sum + traffic.to(address), 0),
      inFlight: seen?.inFlight ?? 0,
      health: seen?.standing ?? "unknown",
      connected: ids.has(id),
    };
  });
}

function sharedAddresses(peers: readonly Peer[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const address of peers.flatMap(({ addresses }) => [...new Set(addresses)])) {
    (seen.has(address) ? shared : seen).add(address);
  }
  return shared;
}

/** Options as the pages show them; the values of secrets are masked. */
export function describeSettings(config: Config): Setting[] {
  return describeConfig(config, "agent").map(({ key, flag, value, isDefault, help }) => ({
    flag,
    value: SECRET.test(key) && value !== "" ? "[masked]" : maskUserInfo(value),
    isDefault,
    help,
  }));
}

/** Runs the checks at most once in {@link CHECKS_TTL_MS}. */
function cached(
  check: DebugPagesCollaborators["checks"],
  clock: Clock,
): DebugPagesCollaborators["checks"] {
  let last: { at: number; checks: readonly Check[] } | undefined;
  return async (options) => {
    if (last !== undefined && clock.now() - last.at < CHECKS_TTL_MS) return last.checks;
    const checks = await check(options);
    last = { at: clock.now(), checks };
    return checks;
  };
}
