import type { RequestEntry } from "../debug_source.ts";
import { formatBytes, formatCount, formatMs, shortId } from "../format.ts";
import { Badge, type BadgeKind, Card, Empty } from "./layout.tsx";
import { REASONS } from "./overview.tsx";

/** Maximum rows; the JSON has all requests that are kept. */
const MAX_ROWS = 200;

/** Result of a request, as named on the page. */
export type Outcome = "local" | "peer" | "miss" | "served" | "refused" | "broken";

const OUTCOMES: Readonly<Record<Outcome, readonly [BadgeKind, string]>> = {
  local: ["good", "own image"],
  peer: ["good", "from a peer"],
  miss: ["plain", "miss"],
  served: ["accent", "served to a peer"],
  refused: ["warning", "refused"],
  broken: ["bad", "broken off"],
};

export function outcomeOf(entry: RequestEntry): Outcome {
  if (entry.error !== undefined) return "broken";
  if (entry.status < 400) return entry.fromPeer ? "served" : entry.peer ? "peer" : "local";
  return entry.status === 404 && !entry.fromPeer ? "miss" : "refused";
}

/** Filters of the page; empty strings match everything. */
export interface RequestQuery {
  readonly outcome: string;
  readonly text: string;
}

export function searchRequests(
  entries: readonly RequestEntry[],
  { outcome, text }: RequestQuery,
): readonly RequestEntry[] {
  const wanted = text.toLowerCase();
  return entries.filter((entry) =>
    (outcome === "" || outcomeOf(entry) === outcome) &&
    [nameOf(entry), entry.client, entry.peer ?? "", entry.reason ?? ""]
      .some((part) => part.toLowerCase().includes(wanted))
  );
}

/** The last requests for content. */
export function RequestsPage(
  { entries, query, now }: { entries: readonly RequestEntry[]; query: RequestQuery; now: Date },
) {
  const found = searchRequests(entries, query);
  const note = found.length === entries.length
    ? formatCount(entries.length)
    : `${formatCount(found.length)} of ${formatCount(entries.length)}`;
  return (
    <>
      <h1>Recent requests</h1>
      <p class="lead">
        From this node's containerd and from peers, newest first. A miss is not a failure:
        containerd falls back to upstream.
      </p>
      <form class="search" method="get" role="search">
        <select name="outcome" aria-label="Outcome">
          <option value="">all outcomes</option>
          {Object.entries(OUTCOMES).map(([outcome, [, word]]) => (
            <option value={outcome} selected={outcome === query.outcome}>{word}</option>
          ))}
        </select>
        <input
          type="search"
          name="q"
          value={query.text}
          placeholder="Image, digest, peer, address or reason"
          aria-label="Search"
          autocomplete="off"
          spellcheck={false}
        />
        <button type="submit">Search</button>
      </form>
      <Card title="Requests" note={note}>
        {found.length === 0
          ? (
            <Empty>
              {entries.length === 0 ? "None since the start." : "Nothing matches."}
            </Empty>
          )
          : (
            <table data-live>
              <thead>
                <tr>
                  <th>When</th>
                  <th>Content</th>
                  <th>Outcome</th>
                  <th>By</th>
                  <th class="number">Bytes</th>
                  <th class="number">Took</th>
                </tr>
              </thead>
              <tbody>
                {found.slice(0, MAX_ROWS).map((entry) => <Row entry={entry} now={now} />)}
              </tbody>
            </table>
          )}
      </Card>
    </>
  );
}

function Row({ entry, now }: { entry: RequestEntry; now: Date }) {
  const outcome = outcomeOf(entry);
  const [kind, word] = OUTCOMES[outcome];
  const why = entry.error ?? entry.reason ?? (outcome === "refused" ? `${entry.status}` : "");
  return (
    <tr>
      <td data-label="When" title={entry.at.toISOString()} class="quiet">
        {formatMs(Math.max(0, now.getTime() - entry.at.getTime()))} ago
      </td>
      <td data-label="Content" class="wide name">
        <span>
          {nameOf(entry)}
          {entry.method === "HEAD" ? <span class="note">HEAD</span> : null}
        </span>
      </td>
      <td data-label="Outcome">
        <span>
          <Badge kind={kind}>{word}</Badge>
          {why === ""
            ? null
            : (
              <span class="note" title={entry.reason === undefined ? why : REASONS[entry.reason]}>
                {why}
              </span>
            )}
        </span>
      </td>
      <td data-label="By" class="mono">
        {entry.fromPeer
          ? <span title="address of the peer that asked">for {entry.client}</span>
          : entry.peer === undefined
          ? "–"
          : <span title={entry.peer}>{shortId(entry.peer)}</span>}
      </td>
      <td data-label="Bytes" class="number">
        {entry.bytes === 0 ? "–" : formatBytes(entry.bytes)}
      </td>
      <td data-label="Took" class="number">{formatMs(entry.durationMs)}</td>
    </tr>
  );
}

/** The reference in a request's path, or the path itself if there is none. */
function nameOf({ path, registry }: RequestEntry): string {
  const match = /^\/v2\/(.+)\/(?:manifests|blobs)\/([^/]+)$/.exec(path);
  if (match === null) return decoded(path);
  const [, repository, identifier = ""] = match;
  const separator = identifier.includes(":") ? "@" : ":";
  const short = identifier.replace(/^(sha\d+:[0-9a-f]{12})[0-9a-f]+$/, "$1…");
  return decoded(`${registry ? `${registry}/` : ""}${repository}${separator}${short}`);
}

/** Decodes the client's percent-encoding if it is valid. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
