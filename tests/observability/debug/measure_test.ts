import assert from "node:assert/strict";
import { systemClock } from "../../../lib/async/clock.ts";
import { createMeasure, type MeasureOptions } from "../../../lib/observability/debug/measure.ts";
import { MeasureError, parseTarget } from "../../../lib/observability/debug/measure_target.ts";
import { choosePlatform } from "../../../lib/observability/debug/platform.ts";
import { type Digest, digestOf } from "../../../lib/oci/digest.ts";
import type { ReferenceFilter } from "../../../lib/oci/filter.ts";
import { OCI_INDEX, OCI_MANIFEST, OCTET_STREAM } from "../../../lib/oci/media_type.ts";
import type { MirrorHit, MirrorMiss, MirrorRequest } from "../../../lib/ports/mirror.ts";
import { MemoryRouter } from "../../fakes/router.ts";
import { test } from "../../support/test.ts";

const never = { signal: new AbortController().signal, pull: true };
const NAME = "docker.io/library/nginx:1";
const PEER = { id: "peer", addresses: ["10.0.0.2"], registryPort: 5000 };

/** Content by digest or tag, as peers would have it. */
class Peers {
  readonly asked: MirrorRequest[] = [];
  readonly #content = new Map<string, { bytes: Uint8Array<ArrayBuffer>; mediaType: string }>();
  /** Breaks bodies of this digest off. */
  broken: Digest | undefined;

  add(content: string, mediaType = OCTET_STREAM, tag?: string): Digest {
    const bytes = new TextEncoder().encode(content);
    const digest = digestOf(bytes);
    this.#content.set(digest, { bytes, mediaType });
    if (tag !== undefined) this.#content.set(tag, { bytes, mediaType });
    return digest;
  }

  fetch(request: MirrorRequest): Promise<MirrorHit | MirrorMiss> {
    this.asked.push(request);
    const { digest, tag = "" } = request.reference;
    const found = this.#content.get(digest ?? tag);
    const isManifest = found?.mediaType !== OCTET_STREAM;
    if (found === undefined || isManifest !== (request.kind === "manifest")) {
      return Promise.resolve({ found: false, reason: "peers-refused", attempts: 1 });
    }
    const { bytes, mediaType } = found;
    const broken = this.broken;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        controller.enqueue(bytes);
        if (digest !== undefined && digest === broken) controller.error(new Error("peer died"));
        else controller.close();
      },
    });
    const descriptor = { digest: digestOf(bytes), mediaType, size: bytes.length };
    return Promise.resolve({ found: true, descriptor, body, peer: "peer" });
  }
}

function setup(options: MeasureOptions = {}, filter: ReferenceFilter = () => true) {
  const peers = new Peers();
  const router = new MemoryRouter();
  const layer = peers.add("layer");
  const config = peers.add("config");
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { digest: config, size: 6 },
    layers: [{ digest: layer, size: 5 }],
  });
  const digest = peers.add(manifest, OCI_MANIFEST, "1");
  for (const key of [NAME, digest, layer]) router.provide(key, PEER);
  const measure = createMeasure({ router, mirror: peers, filter, clock: systemClock }, options);
  return { peers, router, measure, layer, digest, size: manifest.length + 11 };
}

test("measure: an image is looked up and each of its pieces pulled", async () => {
  const { measure, size } = setup();
  const result = await measure("nginx:1", never);
  assert.equal(result.problem, undefined);
  assert.equal(result.reference, NAME);
  assert.deepEqual(result.peers.map(({ id, address }) => [id, address]), [["peer", "10.0.0.2"]]);
  assert.deepEqual(result.pieces.map(({ kind }) => kind), ["manifest", "config", "layer"]);
  assert.equal(result.bytes, size);
  for (const { startMs, answerMs, durationMs } of result.pieces) {
    assert.ok(startMs >= 0 && answerMs >= 0 && durationMs >= answerMs);
  }
});

test("measure: an index leads to the image of this machine", async () => {
  const { measure, peers, router, digest } = setup();
  const [os, architecture] = [Deno.build.os, Deno.build.arch === "x86_64" ? "amd64" : "arm64"];
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      { digest: peers.add("other"), platform: { os: "plan9", architecture } },
      { digest, platform: { os, architecture } },
    ],
  });
  router.provide("docker.io/library/nginx:2", PEER);
  peers.add(index, OCI_INDEX, "2");
  const { pieces } = await measure("nginx:2", never);
  assert.deepEqual(pieces.map(({ kind }) => kind), ["index", "manifest", "config", "layer"]);
});

test("measure: a digest alone may be a manifest or a blob", async () => {
  const { measure, layer, digest } = setup();
  assert.deepEqual((await measure(digest, never)).pieces.length, 3);
  const { pieces, problem } = await measure(layer, never);
  assert.deepEqual(pieces.map(({ kind, bytes }) => [kind, bytes]), [["blob", 5]]);
  assert.equal(problem, undefined);
});

test("measure: what keeps it from being complete is told", async (t) => {
  await t.step("nobody holds it, and nobody is asked", async () => {
    const { measure, peers } = setup();
    const { problem, pieces } = await measure("docker.io/library/redis:7", never);
    assert.match(problem ?? "", /no peer/);
    assert.deepEqual([pieces, peers.asked], [[], []]);
  });
  await t.step("a layer breaks off", async () => {
    const { measure, peers, layer } = setup();
    peers.broken = layer;
    const { problem, pieces } = await measure(NAME, never);
    assert.match(problem ?? "", /peer died/);
    assert.equal(pieces.at(-1)?.error, "peer died");
  });
  await t.step("too many pieces", async () => {
    const { pieces, problem } = await setup({ maxPieces: 1 }).measure(NAME, never);
    assert.match(problem ?? "", /only the first 1 of 2/);
    assert.equal(pieces.length, 2);
  });
  await t.step("too many bytes", async () => {
    const { size, measure } = setup({ maxBytes: 1 });
    assert.ok(size > 1);
    assert.match((await measure(NAME, never)).problem ?? "", /more than|more bytes/);
  });
});

test("measure: who holds it can be asked alone", async () => {
  const { measure, peers } = setup();
  const result = await measure(NAME, { ...never, pull: false });
  assert.equal(result.peers.length, 1);
  assert.deepEqual([result.pieces, peers.asked, result.problem], [[], [], undefined]);
});

test("measure: what is excluded by the filter is not looked up", async () => {
  const { measure, peers } = setup({}, ({ registry }) => registry !== "docker.io");
  await assert.rejects(measure(NAME, never), MeasureError);
  assert.deepEqual(peers.asked, []);
});

test("measure: one at a time", async () => {
  const { measure } = setup();
  const first = measure(NAME, never);
  await assert.rejects(
    measure(NAME, never),
    (error) => error instanceof MeasureError && error.status === 429,
  );
  assert.equal((await first).problem, undefined);
  assert.equal((await measure(NAME, never)).problem, undefined);
});

test("measure: what people type", () => {
  const digest = `sha256:${"0".repeat(64)}` as const;
  const cases: [text: string, registry: string, repository: string, rest: string | undefined][] = [
    ["nginx", "docker.io", "library/nginx", "latest"],
    [" nginx:1.27 ", "docker.io", "library/nginx", "1.27"],
    ["grafana/grafana:11", "docker.io", "grafana/grafana", "11"],
    ["quay.io/a/b", "quay.io", "a/b", "latest"],
    [`quay.io/a/b:1@${digest}`, "quay.io", "a/b", digest],
    ["localhost:5000/a:1", "localhost:5000", "a", "1"],
    [digest, "", "any", digest],
  ];
  for (const [text, registry, repository, rest] of cases) {
    const found = parseTarget(text);
    assert.deepEqual(
      [found.registry, found.repository, found.digest ?? found.tag],
      [registry, repository, rest],
      text,
    );
  }
  const bad = ["", "UPPER", "http://10.0.0.1/", "a b", "<script>", "a@sha256:0", "x".repeat(600)];
  for (const text of bad) assert.throws(() => parseTarget(text), MeasureError, text);
});

test("measure: the platform is chosen, or the first taken", () => {
  const entry = (hex: string, os?: string, architecture?: string) => ({
    digest: `sha256:${hex.repeat(64)}`,
    ...(os === undefined ? {} : { platform: { os, architecture } }),
  });
  const choose = (...manifests: unknown[]) =>
    choosePlatform(new TextEncoder().encode(JSON.stringify({ manifests })), {
      os: "linux",
      arch: "aarch64",
    })?.at(-1);
  assert.equal(choose(entry("a", "linux", "amd64"), entry("b", "linux", "arm64")), "b");
  assert.equal(choose(entry("a"), entry("b")), "a");
  assert.equal(choose(null, { digest: "x" }), undefined);
});
