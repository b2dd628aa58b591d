import assert from "node:assert/strict";
import { mapConcurrent } from "../../lib/async/map_concurrent.ts";
import { systemClock } from "../../lib/async/clock.ts";
// Opens what libp2p opens once for the whole process.
import { eventually } from "../router/cluster.ts";
import { LiveCluster } from "../support/live_cluster.ts";
import { test } from "../support/test.ts";
import { type Cell, cellsOf, describeCell, expected } from "./cells.ts";
import { Origin, RIGHT, WRONG } from "./origin.ts";
import { Runtime, type Taken, type Target, TARGETS } from "./runtime.ts";
import { makeImage, store } from "./test_image.ts";

/** Two timers of libp2p 3.3 outlive `stop()` by a second (see tests/router/cluster.ts). */
const LIBRARY_TIMERS_MS = 1100;
const KEY = "0123456789abcdef".repeat(4);
const CONCURRENCY = 8;
/** Node 0 is asked, node 1 is its peer. */
const NODE_OF = { here: 0, peer: 1 } as const;
const SECRETS = { right: RIGHT, wrong: WRONG, none: undefined } as const;

/** A cell with the registry that only it has, so that nothing is known from another. */
interface Prepared {
  readonly cell: Cell;
  readonly origin: Origin;
}

/** What came of it. */
interface Outcome {
  readonly mirror: Readonly<Record<Target, Taken>>;
  readonly origin: Readonly<Record<Target, Omit<Taken, "challenged">>>;
  readonly log: readonly string[];
}

for (const key of ["on", "off"] as const) {
  test(`private images and tags, every case, cluster key ${key}`, async (t) => {
    const keyFile = await Deno.makeTempFile({ prefix: "eddy-key-" });
    await Deno.writeTextFile(keyFile, `${KEY}\n`);
    const prepared = cellsOf(key).map((cell) => {
      const { scheme, visibility } = cell;
      return { cell, origin: new Origin({ scheme, visibility, image: makeImage() }) };
    });
    try {
      const outcomes = await pullAll(prepared, key === "on" ? keyFile : undefined);
      for (const { cell, origin } of prepared) {
        const outcome = outcomes.get(cell) ?? assert.fail();
        await t.step(describeCell(cell), () => check(cell, origin, outcome));
      }
    } finally {
      await Promise.all(prepared.map(({ origin }) => origin.stop()));
      await Deno.remove(keyFile);
      await systemClock.sleep(LIBRARY_TIMERS_MS);
    }
  });
}

/** Pulls all images through agents that have nothing but them. */
async function pullAll(
  prepared: readonly Prepared[],
  keyFile: string | undefined,
): Promise<Map<Cell, Outcome>> {
  await using cluster = await LiveCluster.start(2, [
    ...["--private-images", "auto", "--tag-policy", "verify"],
    // Each tag is asked about, and slowness is noticed without waiting long.
    ...["--tag-ttl", "0s", "--upstream-timeout", "2s", "--registries-file", "none"],
    // They are on loopback, where nothing is asked that the operator has not named.
    ...["--mirrored-registries", ...prepared.map(({ origin }) => origin.host)],
    ...(keyFile === undefined ? [] : ["--cluster-key-file", keyFile]),
  ]);
  const held = { here: 0, peer: 0 };
  for (const { cell: { place }, origin } of prepared) {
    if (place === "nowhere") continue;
    const { writer } = cluster.nodes[NODE_OF[place]] ?? assert.fail();
    await store(writer, origin.options.image, origin.reference);
    held[place]++;
  }
  for (const place of ["here", "peer"] as const) {
    const { agent } = cluster.nodes[NODE_OF[place]] ?? assert.fail();
    await eventually(`node ${place} advertises its images`, async () => {
      const text = await (await fetch(`${agent.metricsUrl}/metrics`)).text();
      const count = Number(/^eddy_advertised_digests (\d+)$/m.exec(text)?.[1] ?? NaN);
      return count >= 3 * held[place];
    });
  }
  await mapConcurrent(prepared, CONCURRENCY, (one) => pullBefore(cluster, one));
  const asked = cluster.nodes[0]?.agent.url ?? assert.fail();
  const outcomes = new Map<Cell, Outcome>();
  const pull = async (one: Prepared) => {
    outcomes.set(one.cell, await pullOne(asked, one));
  };
  const slow = prepared.filter(({ cell }) => cell.upstream === "slow");
  await mapConcurrent(prepared.filter((one) => !slow.includes(one)), CONCURRENCY, pull);
  await Promise.all(slow.map(pull));
  return outcomes;
}

/** The node that has the image got it when upstream was up, for a client with the secret. */
async function pullBefore(cluster: LiveCluster, { cell, origin }: Prepared): Promise<void> {
  if (cell.place !== "nowhere") {
    const { agent } = cluster.nodes[NODE_OF[cell.place]] ?? assert.fail();
    const runtime = new Runtime(agent.url, origin, RIGHT);
    for (const target of TARGETS) {
      const { status } = await runtime.askMirror(target);
      assert.equal(status, 200, `${target} of ${describeCell(cell)}, at first`);
    }
  }
  origin.agentLog.length = 0;
  if (cell.upstream === "down") await origin.stop();
  else origin.state = cell.upstream;
}

async function pullOne(mirrorUrl: string, { cell, origin }: Prepared): Promise<Outcome> {
  const runtime = new Runtime(mirrorUrl, origin, SECRETS[cell.secret]);
  const mirror: Partial<Record<Target, Taken>> = {};
  const direct: Partial<Record<Target, Omit<Taken, "challenged">>> = {};
  // Whoever is refused a tag may know digests from elsewhere: all are asked for, whatever comes.
  for (const target of TARGETS) {
    mirror[target] = await runtime.askMirror(target);
    direct[target] = await runtime.askOrigin(target);
  }
  return {
    mirror: mirror as Outcome["mirror"],
    origin: direct as Outcome["origin"],
    log: [...origin.agentLog],
  };
}

function check(cell: Cell, { options: { image } }: Origin, outcome: Outcome): void {
  const want = expected(cell);
  const contents = { tag: image.manifest, manifest: image.manifest, blob: image.layer };
  for (const target of TARGETS) {
    const { status, bytes, digest, challenged } = outcome.mirror[target];
    if (want.mirror === "here" || want.mirror === "peer") {
      // The other node has nothing of it, and upstream's log has no GET: it cannot be from elsewhere.
      assert.equal(want.mirror, cell.place);
      assert.equal(status, 200, target);
      assert.equal(digest, contents[target].digest, target);
      if (target !== "tag") assert.deepEqual(bytes, contents[target].bytes, target);
    } else {
      assert.equal(status, want.mirror, target);
      const text = new TextDecoder().decode(bytes);
      if (target !== "tag") assert.match(text, /^\{"errors":\[/, "no byte of the content");
    }
    if (cell.visibility === "public") assert.equal(challenged, false, "public images are open");
    assert.equal(outcome.origin[target].status, want.origin, `${target} at upstream`);
  }
  assert.deepEqual(outcome.log, want.log, "what upstream was asked by the agent");
}
