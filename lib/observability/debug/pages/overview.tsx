import type { MissReason } from "../../../ports/mirror.ts";
import type { Overview, PeerView, Totals } from "../debug_source.ts";
import {
  formatBytes,
  formatCount,
  formatMs,
  formatPercent,
  formatSpeed,
  shortId,
} from "../format.ts";
import { Badge, type BadgeKind, Bar, Card, Empty } from "./layout.tsx";
import { Rollouts } from "./rollouts.tsx";
import { UnaskedRegistries } from "./unasked_registries.tsx";

/** Maximum rows; the JSON has all peers. */
const MAX_PEERS = 200;

const HEALTH: Readonly<Record<PeerView["health"], readonly [BadgeKind, string, string]>> = {
  good: ["good", "good", "answered when it was last asked"],
  unknown: ["plain", "not asked yet", "in the routing table; no content was requested from it yet"],
  down: ["bad", "down", "did not answer; it is used again once it answers a probe"],
  shunned: ["bad", "shunned", "sent wrong content; in the penalty box"],
};

/** The meaning of each reason, with a remedy. */
export const REASONS: Readonly<Record<MissReason | "other", string>> = {
  "no-peer": "No node is known to hold it, as for the first pull of any content.",
  "peers-unreachable": "Nodes hold it but did not answer: check that the registry port is open.",
  "peers-refused": "Nodes advertise it but no longer hold it: they removed it recently.",
  "peers-unnamed":
    "Nodes hold the tag, but bootstrap does not name them and there is no cluster key.",
  "peers-busy": "Nodes hold it, but all were busy: more nodes will hold it soon.",
  filtered: "A filter or an option of this node excludes it.",
  "absent-upstream": "Upstream has no such tag or image, which is decisive.",
  "upstream-unasked":
    "This node cannot ask upstream what the tag means, so containerd asks: see Upstream registries.",
  unauthorized: "It is private, and the request had no credentials that upstream accepts.",
  timeout: "Finding a node took longer than --mirror-resolve-timeout.",
  "bad-content": "Nodes sent wrong content; they are in the penalty box.",
  other: "The mirror gave no reason.",
};

/** The node at a glance. */
export function OverviewPage({ overview, now }: { overview: Overview; now: Date }) {
  const { totals, advertised, peers, conditions } = overview;
  const waiting = conditions.filter(({ met }) => !met).map(({ name }) => name);
  const upMs = now.getTime() - overview.startedAt.getTime();
  const asked = totals.local + totals.hits + totals.misses;
  return (
    <>
      <div class={`hero ${waiting.length === 0 ? "good" : "warning"}`} data-live>
        <h1>{waiting.length === 0 ? "Ready" : "Not ready yet"}</h1>
        <p>
          {waiting.length === 0
            ? `Serving this node and its peers for ${formatMs(upMs)}.`
            : `Waiting for: ${waiting.join(", ")}. Pulls go to upstream meanwhile.`}
        </p>
      </div>
      <div class="tiles" data-live>
        <Tile
          label="Peers"
          value={formatCount(peers.length)}
          note={peers.length === 0 ? "alone" : "in the routing table"}
        />
        <Tile
          label="Advertised"
          value={formatCount(advertised.digests)}
          note={`digests, and ${formatCount(advertised.tags)} tags`}
        />
        <Tile
          label="From peers"
          value={formatBytes(totals.bytesFrom)}
          note="received since the start"
        />
        <Tile label="To peers" value={formatBytes(totals.bytesTo)} note="sent since the start" />
        <Tile
          label="Kept inside"
          value={formatPercent(totals.local + totals.hits, asked)}
          note={`of ${formatCount(asked)} requests`}
        />
      </div>
      <UnaskedRegistries registries={overview.unaskedRegistries} />
      <Outcomes totals={totals} asked={asked} />
      <Peers peers={peers} />
      {overview.rollouts === undefined ? null : <Rollouts rollouts={overview.rollouts} />}
      <ThisNode overview={overview} />
    </>
  );
}

function ThisNode({ overview }: { overview: Overview }) {
  return (
    <Card title="This node">
      <dl>
        <dt>Peer id</dt>
        <dd class="mono">{overview.id}</dd>
        {overview.zone === undefined ? null : (
          <>
            <dt>Zone</dt>
            <dd>{overview.zone}</dd>
          </>
        )}
        {overview.facts.map(([label, value]) => (
          <>
            <dt>{label}</dt>
            <dd class="mono">{value}</dd>
          </>
        ))}
        <dt>Started</dt>
        <dd>{overview.startedAt.toISOString().replace("T", " ").slice(0, 19)} UTC</dd>
      </dl>
    </Card>
  );
}

function Tile({ label, value, note }: { label: string; value: string; note: string }) {
  return (
    <div class="tile">
      <span class="label">{label}</span>
      <strong>{value}</strong>
      <span class="note">{note}</span>
    </div>
  );
}

function Outcomes({ totals, asked }: { totals: Totals; asked: number }) {
  const parts = [
    { name: "own images", value: totals.local, kind: "local" },
    { name: "a peer", value: totals.hits, kind: "hit" },
    { name: "no peer: fell back to upstream", value: totals.misses, kind: "miss" },
  ];
  const reasons = Object.entries(totals.missReasons).sort(([, a], [, b]) => b - a);
  let x = 0;
  return (
    <Card title="Source of this node's pulls" note="since the start">
      {asked === 0 ? <Empty>containerd has asked for nothing yet.</Empty> : (
        <div data-live>
          <svg class="stack" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
            {parts.map(({ value, kind }) => {
              const width = 100 * value / asked;
              const rect = (
                <rect class={kind} x={x.toFixed(2)} width={width.toFixed(2)} height="8" />
              );
              x += width;
              return rect;
            })}
          </svg>
          <ul class="legend">
            {parts.map(({ name, value, kind }) => (
              <li>
                <span class={`key ${kind}`}></span>
                {name} <b>{formatCount(value)}</b>
                <span class="note">{formatPercent(value, asked)}</span>
              </li>
            ))}
          </ul>
          {reasons.length === 0 ? null : (
            <table class="reasons">
              <thead>
                <tr>
                  <th>Why upstream was asked</th>
                  <th class="number">Times</th>
                  <th>What it means</th>
                </tr>
              </thead>
              <tbody>
                {reasons.map(([reason, count]) => (
                  <tr>
                    <td data-label="Reason">
                      <a href={`/debug/requests?outcome=miss&q=${reason}`}>{reason}</a>
                    </td>
                    <td data-label="Times" class="number">{formatCount(count)}</td>
                    <td data-label="Meaning" class="wide">
                      {REASONS[reason as MissReason] ?? REASONS.other}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      )}
    </Card>
  );
}

function Peers({ peers }: { peers: readonly PeerView[] }) {
  const shown = [...peers].sort(byTroubleAndTraffic).slice(0, MAX_PEERS);
  const most = Math.max(...peers.map(({ bytesFrom, bytesTo }) => Math.max(bytesFrom, bytesTo)), 0);
  const note = shown.length < peers.length
    ? `${shown.length} of ${formatCount(peers.length)}, unhealthy and busy ones first`
    : formatCount(peers.length);
  return (
    <Card title="Peers" note={note}>
      {peers.length === 0
        ? (
          <Empty>
            No other node is known. On a single node that is as it should be; else check the
            bootstrap options and that the router port is open.
          </Empty>
        )
        : (
          <table data-live>
            <thead>
              <tr>
                <th>Peer</th>
                <th>Address</th>
                <th>Health</th>
                <th class="number">Latency</th>
                <th class="number">Speed</th>
                <th class="number">From it</th>
                <th class="number">To it</th>
              </tr>
            </thead>
            <tbody>{shown.map((peer) => <PeerRow peer={peer} most={most} />)}</tbody>
          </table>
        )}
    </Card>
  );
}

function PeerRow({ peer, most }: { peer: PeerView; most: number }) {
  const [kind, word, meaning] = HEALTH[peer.health];
  return (
    <tr>
      <td data-label="Peer" class="mono" title={peer.id}>{shortId(peer.id)}</td>
      <td data-label="Address" class="mono" title={peer.addresses.join(", ")}>
        {peer.addresses[0] ?? "–"}
      </td>
      <td data-label="Health">
        <span title={meaning}>
          <Badge kind={kind}>{word}</Badge>
          {peer.connected ? null : <span class="note">left</span>}
          {peer.inFlight === 0 ? null : <span class="note">{peer.inFlight} under way</span>}
        </span>
      </td>
      <td data-label="Latency" class="number">
        {peer.latencyMs === undefined ? "–" : formatMs(peer.latencyMs)}
      </td>
      <td data-label="Speed" class="number">
        {peer.bytesPerSecond === undefined ? "–" : formatSpeed(peer.bytesPerSecond)}
      </td>
      <Amount label="From it" bytes={peer.bytesFrom} most={most} />
      <Amount label="To it" bytes={peer.bytesTo} most={most} />
    </tr>
  );
}

function Amount({ label, bytes, most }: { label: string; bytes: number; most: number }) {
  return (
    <td data-label={label} class="number amount">
      {formatBytes(bytes)}
      <Bar value={bytes} max={most} label={formatBytes(bytes)} />
    </td>
  );
}

const TROUBLE = { shunned: 0, down: 1, good: 2, unknown: 2 } as const;

function byTroubleAndTraffic(a: PeerView, b: PeerView): number {
  return TROUBLE[a.health] - TROUBLE[b.health] ||
    b.bytesFrom + b.bytesTo - a.bytesFrom - a.bytesTo;
}
