import type { Measurement } from "../measure.ts";
import { formatBytes, formatMs, formatSpeed, shortDigest, shortId } from "../format.ts";
import { Badge, Bar, Card, Empty } from "./layout.tsx";

/** A form to measure a reference, and the result. */
export function MeasurePage(
  { image, measurement, error }: { image: string; measurement?: Measurement; error?: string },
) {
  return (
    <>
      <h1>Measure</h1>
      <p class="lead">
        Looks an image or a digest up as a pull does, then pulls it from peers, piece by piece, and
        throws it away. Upstream is never asked.
      </p>
      <form class="search" method="get" data-busy="Measuring…">
        <input
          type="text"
          name="image"
          value={image}
          placeholder="docker.io/library/nginx:1.27 or sha256:…"
          aria-label="Image or digest"
          autocomplete="off"
          spellcheck={false}
          required
          maxlength={512}
        />
        <button type="submit">Measure</button>
      </form>
      {error === undefined ? null : <p class="message bad" role="alert">{error}</p>}
      {measurement === undefined ? null : <Result measurement={measurement} />}
    </>
  );
}

function Result({ measurement }: { measurement: Measurement }) {
  const { peers, pieces, lookupMs, pullMs, bytes, problem, reference } = measurement;
  const complete = problem === undefined;
  const speed = pullMs > 0 ? bytes / pullMs * 1000 : 0;
  const first = peers[0]?.afterMs;
  return (
    <>
      <div class={`hero ${complete ? "good" : "warning"}`}>
        <h1 class="name">{reference}</h1>
        <p>
          {complete
            ? `Pulled from peers in ${formatMs(pullMs)}: ${formatBytes(bytes)}.`
            : `Not complete: ${problem}.`}
        </p>
      </div>
      <div class="tiles">
        <Tile label="Peers that hold it" value={String(peers.length)} />
        <Tile label="First peer found" value={first === undefined ? "–" : formatMs(first)} />
        <Tile label="Pulled" value={formatBytes(bytes)} />
        <Tile label="Throughput" value={bytes === 0 ? "–" : formatSpeed(speed)} />
      </div>
      <Card title="Lookup" note={`${formatMs(lookupMs)} until no more were found`}>
        {peers.length === 0 ? <Empty>No peer is known to hold it.</Empty> : (
          <table>
            <thead>
              <tr>
                <th>Peer</th>
                <th>Address</th>
                <th class="number">Found after</th>
                <th class="bars"></th>
              </tr>
            </thead>
            <tbody>
              {peers.map(({ id, address, afterMs }) => (
                <tr>
                  <td data-label="Peer" class="mono" title={id}>{shortId(id)}</td>
                  <td data-label="Address" class="mono">{address}</td>
                  <td data-label="Found after" class="number">{formatMs(afterMs)}</td>
                  <td class="bars">
                    <Bar value={afterMs} max={lookupMs} label={formatMs(afterMs)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Card>
      {pieces.length === 0 ? null : <Pull measurement={measurement} />}
    </>
  );
}

function Tile({ label, value }: { label: string; value: string }) {
  return (
    <div class="tile">
      <span class="label">{label}</span>
      <strong>{value}</strong>
    </div>
  );
}

function Pull({ measurement: { pieces, pullMs } }: { measurement: Measurement }) {
  return (
    <Card title="Pull" note={`${pieces.length} pieces one after the other, ${formatMs(pullMs)}`}>
      <table>
        <thead>
          <tr>
            <th>Piece</th>
            <th>From</th>
            <th class="number">Size</th>
            <th class="number">Answer</th>
            <th class="number">Took</th>
            <th class="number">Throughput</th>
            <th class="bars">When</th>
          </tr>
        </thead>
        <tbody>
          {pieces.map((piece) => (
            <tr>
              <td data-label="Piece" title={`${piece.digest}\n${piece.mediaType}`}>
                <span>
                  {piece.kind} <span class="note mono">{shortDigest(piece.digest)}</span>
                  {piece.error === undefined ? null : <Badge kind="bad">{piece.error}</Badge>}
                </span>
              </td>
              <td data-label="From" class="mono" title={piece.peer}>{shortId(piece.peer)}</td>
              <td data-label="Size" class="number">{formatBytes(piece.bytes)}</td>
              <td data-label="Answer" class="number">{formatMs(piece.answerMs)}</td>
              <td data-label="Took" class="number">{formatMs(piece.durationMs)}</td>
              <td data-label="Throughput" class="number">
                {piece.durationMs > 0 ? formatSpeed(piece.bytes / piece.durationMs * 1000) : "–"}
              </td>
              <td class="bars">
                <Bar
                  start={piece.startMs}
                  value={piece.durationMs}
                  max={pullMs}
                  label={`${formatMs(piece.startMs)} to ${
                    formatMs(piece.startMs + piece.durationMs)
                  }`}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}
