import assert from "node:assert/strict";
import { createStaticBootstrapper } from "../../lib/router/bootstrap/static_bootstrapper.ts";
import { eventually } from "../support/eventually.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { addressesOf, Cluster, lookupAll, type TestNode } from "./cluster.ts";

const SOURCE = "test";
/** Nobody listens there: the address of a pod that is gone. */
const GONE = "/ip4/127.0.0.1/tcp/1";

/** A list of addresses that the test keeps right, or does not. */
function list(...addresses: string[]) {
  return {
    addresses,
    get: (options: { readonly signal: AbortSignal }) =>
      createStaticBootstrapper({ peers: addresses }).get(options),
  };
}

/** Router port of a node. */
function portOf(node: TestNode): number {
  return Number(/tcp\/(\d+)/.exec(addressesOf(node)[0] ?? "")?.[1]);
}

/** Ends a node as an agent does, and takes it out of the cluster. */
async function stop(cluster: Cluster, node: TestNode): Promise<void> {
  await node.router.leave();
  await node.router.stop();
  cluster.nodes.splice(cluster.nodes.indexOf(node), 1);
}

test("rolling update: nodes that change their addresses meet again while the list names none", async () => {
  await inDirectory(async (directory) => {
    await using cluster = new Cluster();
    const names = ["a", "b", "c"];
    const nodes = new Map<string, TestNode>();
    const start = async (name: string, ...addresses: string[]) => {
      const dataDir = `${directory}/${name}`;
      // It would count as alone only after a long time.
      const options = { dataDir, bootstrapSource: SOURCE, readyTimeoutMs: 600_000 };
      nodes.set(name, await cluster.add(list(...addresses), options));
    };
    const [first, ...others] = names;
    assert(first);
    await start(first);
    const known = nodes.get(first);
    assert(known);
    for (const name of others) await start(name, ...addressesOf(known));
    await cluster.meshed();
    for (const name of names) {
      const old = nodes.get(name);
      assert(old);
      await stop(cluster, old);
      await start(name, GONE);
      const node = nodes.get(name);
      assert(node);
      assert.equal(node.router.id, old.router.id);
      assert.notEqual(portOf(node), portOf(old));
      await eventually(`${name} is ready`, () => node.router.ready());
      assert(node.router.peers().length > 0, "ready means that it knows somebody");
      await cluster.meshed();
      for (const other of cluster.nodes.filter((each) => each !== node)) {
        await eventually(
          "the others have its new address",
          () =>
            other.router.peers().some(({ id, registryPort }) =>
              id === node.router.id && registryPort === portOf(node) - 1
            ),
        );
      }
    }
  });
});

test("all nodes are replaced at once: they meet as soon as the list is right", async () => {
  await inDirectory(async (directory) => {
    await using cluster = new Cluster();
    const start = (name: string, bootstrap: ReturnType<typeof list>) =>
      cluster.add(bootstrap, {
        dataDir: `${directory}/${name}`,
        bootstrapSource: SOURCE,
        readyTimeoutMs: 600_000,
      });
    const names = ["a", "b", "c", "d"];
    const seeds = list();
    for (const name of names) {
      const { addresses } = seeds;
      addresses.push(...addressesOf(await start(name, list(...addresses))));
    }
    await cluster.meshed();
    await Promise.all([...cluster.nodes].map((node) => stop(cluster, node)));
    // As long as it names nodes that are gone, nobody counts as alone.
    const stale = list(...seeds.addresses);
    for (const name of names) await start(name, stale);
    assert(cluster.nodes.every(({ router }) => router.peers().length > 0 || !router.ready()));
    stale.addresses.splice(0, Infinity, ...cluster.nodes.flatMap(addressesOf));
    await cluster.meshed();
    assert(cluster.nodes.every(({ router }) => router.ready()));
  });
});

test("a single node that was replaced is ready though the list names its former address", async () => {
  await inDirectory(async (directory) => {
    await using cluster = new Cluster();
    const options = { dataDir: directory, bootstrapSource: SOURCE, readyTimeoutMs: 600_000 };
    const former = await cluster.add(list(), options);
    const addresses = addressesOf(former).map((address) => address.replace(/\/p2p\/.*/, ""));
    await stop(cluster, former);
    const node = await cluster.add(list(...addresses), options);
    await eventually("it is ready", () => node.router.ready());
    assert.deepEqual(node.router.peers(), []);
  });
});

test("a peer that appears at another address before it was missed is asked there", async () => {
  await inDirectory(async (directory) => {
    await using cluster = await Cluster.of(1);
    const [other] = cluster.nodes;
    assert(other);
    const former = await cluster.add(undefined, { dataDir: directory });
    await cluster.meshed();
    const moved = await cluster.add(list(...addressesOf(other)), { dataDir: directory });
    assert.equal(moved.router.id, former.router.id);
    await eventually(
      "it is known at its new address",
      () => other.router.peers().some(({ registryPort }) => registryPort === portOf(moved) - 1),
    );
  });
});

test("a node that starts has its requests wait for the first peer, and not where none answers", async () => {
  await using cluster = await Cluster.of(1);
  const [holder] = cluster.nodes;
  assert(holder);
  const limit = { signal: AbortSignal.timeout(60_000) };
  await holder.router.advertise(["key"]);
  const seeker = await cluster.add();
  seeker.router.anticipate("key");
  await seeker.router.firstPeer(limit);
  assert.deepEqual((await lookupAll(seeker, "key")).map(({ id }) => id), [holder.router.id]);
  for (const addresses of [[], [GONE]]) {
    const lone = await cluster.add(list(...addresses));
    await lone.router.firstPeer(limit);
    assert.deepEqual(lone.router.peers(), []);
    assert(!lone.log.lines.some(({ message }) => /no longer wait/.test(message)));
  }
});

test("a node that moves to another cluster, whose source has the same name, does not join both", async () => {
  await inDirectory(async (directory) => {
    const options = { dataDir: directory, bootstrapSource: SOURCE };
    await using former = await Cluster.of(1);
    const node = await former.add(undefined, options);
    await former.meshed();
    await stop(former, node);
    await using next = await Cluster.of(1);
    await next.add(undefined, options);
    await next.meshed();
    // By then it would have met peers of its peers, too.
    const newcomer = await next.add();
    await next.meshed();
    assert.equal(newcomer.router.peers().length, 2);
    assert.deepEqual(former.nodes.map(({ router }) => router.peers()), [[]]);
  });
});

test("a node that nobody answers is ready after the time limit, and says so", async () => {
  await using cluster = new Cluster();
  const node = await cluster.add(list(GONE), { readyTimeoutMs: 200 });
  await eventually("it is ready", () => node.router.ready());
  const warned = () => node.log.lines.some(({ message }) => /no peer answers/.test(message));
  await eventually("it says so", warned);
});
