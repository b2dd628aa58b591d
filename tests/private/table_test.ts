import assert from "node:assert/strict";
import { mapConcurrent } from "../../lib/async/map_concurrent.ts";
import type { Agent } from "../../lib/agent/start_agent.ts";
import { systemClock } from "../../lib/async/clock.ts";
// Opens what libp2p opens once for the whole process.
import "../router/cluster.ts";
import { eventually } from "../support/eventually.ts";
// Opens what libp2p opens once for the whole process.
import { LiveCluster } from "../support/live_cluster.ts";
import { test } from "../support/test.ts";
import { type Cell, cellsOf, describeCell, type Expectation, expected } from "./cells.ts";
import { Origin, RIGHT, WRONG } from "./origin.ts";
import { type List, LISTS, Runtime, type Taken, type Target, TARGETS } from "./runtime.ts";
import { makeImage, store, type TestImage } from "./test_image.ts";

/** Two timers of libp2p 3.3 outlive `stop()` by a second (see tests/router/cluster.ts). */
const LIBRARY_TIMERS_MS = 1100;
const KEY = "0123456789abcdef".repeat(4);
const CONCURRENCY = 8;
/** An agent has 64 connections to all registries, each of which a question may occupy for its time. */
const SLOW_CONCURRENCY = 48;
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
  readonly unproven: readonly number[];
  readonly lists: Readonly<Record<List, { readonly status: number; readonly text: string }>>;
  readonly listsUnproven: readonly number[];
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
  ], async (index, writer) => {
    const isHere = ({ cell }: Prepared) => cell.known === "before" && nodeOf(cell) === index;
    for (const { origin } of prepared.filter(isHere)) {
      await store(writer, origin.options.image, origin.reference);
    }
  });
  const held = { here: 0, peer: 0 };
  for (const { cell: { place, known }, origin } of prepared) {
    if (place === "nowhere") continue;
    held[place]++;
    if (known === "before") continue;
    const { writer } = cluster.nodes[NODE_OF[place]] ?? assert.fail();
    await store(writer, origin.options.image, origin.reference);
  }
  for (const place of ["here", "peer"] as const) {
    const { agent } = cluster.nodes[NODE_OF[place]] ?? assert.fail();
    await eventually(`node ${place} advertises its images`, async () => {
      return await sumOf(agent, "eddy_advertised_digests") >= 4 * held[place];
    });
    // What was pulled through it is asked about, too, as nobody has pulled it yet.
    await eventually(`node ${place} has asked about what it holds`, async () => {
      const answers = ["found", "denied"].map((outcome) =>
        sumOf(agent, `eddy_upstream_requests_total{outcome="${outcome}"}`)
      );
      const [found = 0, denied = 0] = await Promise.all(answers);
      return found + denied >= held[place];
    });
  }
  await mapConcurrent(prepared, CONCURRENCY, (one) => pullBefore(cluster, one));
  const outcomes = new Map<Cell, Outcome>();
  const pull = async (one: Prepared) => {
    outcomes.set(one.cell, await pullOne(cluster, one));
  };
  const slow = prepared.filter(({ cell }) => cell.upstream === "slow");
  const down = prepared.filter(({ cell }) => cell.upstream === "down");
  const others = prepared.filter((one) => !slow.includes(one) && !down.includes(one));
  // An agent remembers which registries it reaches, but not of all of these.
  await mapConcurrent([...slow, ...down], CONCURRENCY, ({ origin }) => reach(cluster, origin));
  for (const one of prepared) await change(one);
  await mapConcurrent(slow, SLOW_CONCURRENCY, pull);
  await mapConcurrent([...down, ...others], CONCURRENCY, pull);
  return outcomes;
}

/** The node that has the image perhaps got it when upstream was up, for a client with the secret. */
async function pullBefore(cluster: LiveCluster, { cell, origin }: Prepared): Promise<void> {
  if (cell.place !== "nowhere" && cell.known === "through") {
    const { agent } = cluster.nodes[NODE_OF[cell.place]] ?? assert.fail();
    const runtime = new Runtime(agent.url, origin, RIGHT);
    for (const target of TARGETS) {
      const { status } = await runtime.askMirror(target);
      assert.equal(status, 200, `${target} of ${describeCell(cell)}, at first`);
    }
  }
}

/** The registries are from now on as they are to be. */
async function change({ cell, origin }: Prepared): Promise<void> {
  origin.agentLog.length = 0;
  if (cell.upstream === "down") await origin.stop();
  else origin.state = cell.upstream;
}

/** The node that is asked reaches the registry: else the first tag would be left to the runtime. */
async function reach({ nodes }: LiveCluster, { host }: Origin): Promise<void> {
  const url = nodes[0]?.agent.url ?? assert.fail();
  const response = await fetch(`${url}/v2/nobody/here/manifests/v1?ns=${host}`);
  await response.body?.cancel();
  assert.notEqual(response.status, 200);
}

async function pullOne(cluster: LiveCluster, { cell, origin }: Prepared): Promise<Outcome> {
  const urlOf = (index: number) => cluster.nodes[index]?.agent.url ?? assert.fail();
  const runtime = new Runtime(urlOf(0), origin, SECRETS[cell.secret]);
  const mirror: Partial<Record<Target, Taken>> = {};
  const direct: Partial<Record<Target, Omit<Taken, "challenged">>> = {};
  // Whoever is refused a tag may know digests from elsewhere: all are asked for, whatever comes.
  for (const target of TARGETS) {
    mirror[target] = await runtime.askMirror(target);
    direct[target] = await runtime.askOrigin(target);
  }
  const unproven: number[] = [];
  const holder = nodeOf(cell);
  if (holder !== undefined) {
    const outsider = new Runtime(urlOf(holder), origin, undefined);
    for (const target of TARGETS) unproven.push(await outsider.askAsNode(target));
  }
  const log = [...origin.agentLog];
  const lists: Partial<Record<List, { status: number; text: string }>> = {};
  const listsUnproven: number[] = [];
  for (const list of LISTS) {
    lists[list] = await runtime.askForList(list);
    if (holder === undefined) continue;
    const outsider = new Runtime(urlOf(holder), origin, undefined);
    listsUnproven.push(await outsider.askForListAsNode(list));
  }
  return {
    mirror: mirror as Outcome["mirror"],
    origin: direct as Outcome["origin"],
    lists: lists as Outcome["lists"],
    ...{ unproven, listsUnproven, log },
  };
}

/** The node that has the image. */
function nodeOf({ place }: Cell): number | undefined {
  return place === "nowhere" ? undefined : NODE_OF[place];
}

/** A value of an agent's metrics. */
async function sumOf({ metricsUrl }: Agent, name: string): Promise<number> {
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  return Number(line?.split(" ")[1] ?? 0);
}

function check(cell: Cell, { options: { image } }: Origin, outcome: Outcome): void {
  const want = expected(cell);
  const contents = { tag: image.manifest, manifest: image.manifest, blob: image.layer };
  for (const target of TARGETS) {
    const { status, bytes, digest, challenged } = outcome.mirror[target];
    if (want.mirror === "here" || want.mirror === "peer") {
      // The other node has nothing of it, and upstream's log has no GET: it cannot be from elsewhere.
      assert.equal(want.mirror, cell.place);
      const text = status === 200 ? "" : new TextDecoder().decode(bytes);
      assert.equal(status, 200, `${target}: ${text}`);
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
  const { unproven } = want;
  assert.deepEqual(
    outcome.unproven,
    unproven === 0 ? [] : TARGETS.map(() => unproven),
    "as a node",
  );
  assert.deepEqual(outcome.log, want.log, "what upstream was asked by the agent");
  checkLists(image, want, outcome);
}

/** Whoever gets the image is told of it, and nobody else. */
function checkLists(
  { signature }: TestImage,
  { mirror, unproven }: Expectation,
  { lists, listsUnproven }: Outcome,
): void {
  const entries = { tags: '"v1"', referrers: signature.digest };
  for (const list of LISTS) {
    const { status, text } = lists[list];
    if (mirror === "here" || mirror === "peer") assert.equal(status, 200, `${list}: ${text}`);
    else assert.ok(status === 401 || status === 404, `${list}: ${status}`);
    assert.equal(text.includes(entries[list]), status === 200, `${list}: ${text}`);
  }
  assert.deepEqual(
    listsUnproven,
    unproven === 0 ? [] : LISTS.map(() => unproven),
    "lists, as a node",
  );
}
