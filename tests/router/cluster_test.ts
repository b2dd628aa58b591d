import assert from "node:assert/strict";
import { createHttpBootstrapper } from "../../lib/router/bootstrap/http_bootstrapper.ts";
import { createStaticBootstrapper } from "../../lib/router/bootstrap/static_bootstrapper.ts";
import { MemoryLog } from "../fakes/log.ts";
import { eventually } from "../support/eventually.ts";
import { test } from "../support/test.ts";
import { addressesOf, Cluster, findsExactly, lookupAll, makeNode } from "./cluster.ts";

const KEY = "docker.io/library/nginx:1.27";
const DIGEST = `sha256:${"a1".repeat(32)}`;

test("two nodes: what one advertises the other finds, with address and registry port", async () => {
  await using cluster = await Cluster.of(2);
  const [a, b] = cluster.nodes;
  assert(a && b);
  await a.router.advertise([KEY]);
  await findsExactly(b, KEY, [a]);
  const [peer] = await lookupAll(b, KEY);
  assert.deepEqual(peer?.addresses, ["127.0.0.1"]);
  const port = Number(/tcp\/(\d+)/.exec(addressesOf(a)[0] ?? "")?.[1]);
  assert.equal(peer?.registryPort, port - 1);
  assert.deepEqual(await lookupAll(a, KEY), [], "a node never finds itself");
  assert(b.metrics.calls.some(([name]) => name === "resolveDuration"));
  assert.deepEqual(b.metrics.calls.filter(([name]) => name === "peers").at(-1), ["peers", 1]);
});

test("a node answers HTTP bootstrap with itself and with whom it knows", async () => {
  await using cluster = new Cluster();
  const listen = { host: "127.0.0.1", port: 0, log: new MemoryLog() };
  const http = createHttpBootstrapper({ listen, url: "http://127.0.0.1:9/id" });
  const serving = { ...http, get: () => Promise.resolve([]) };
  const first = await cluster.add(serving);
  const second = await cluster.add(addressesOf(first));
  await cluster.meshed();
  const asking = createHttpBootstrapper({ url: `http://127.0.0.1:${http.port}/id` });
  await eventually("both are named", async () => {
    const ids = (await asking.get(new AbortController())).map(({ id }) => id);
    return ids.join() === [first, second].map(({ router }) => router.id).join();
  });
  await cluster.add(asking);
  await cluster.meshed();
});

test("a node joins though its list was not to be had, empty and wrong before", async () => {
  await using cluster = new Cluster();
  const first = await cluster.add();
  const [address = ""] = addressesOf(first);
  const liar = await makeNode([]);
  const lists = [
    ["/ip4/127.0.0.1/tcp/9"],
    // Somebody else's identity at an address where a peer is.
    [address.replace(/[^/]+$/, liar.router.id)],
    [address],
  ];
  let asked = 0;
  await cluster.add({
    get(options) {
      asked++;
      if (asked === 1) return Promise.reject(new Error("unreachable"));
      if (asked === 2) return Promise.resolve([]);
      const peers = lists[Math.min(asked - 3, lists.length - 1)] ?? [];
      return createStaticBootstrapper({ peers }).get(options);
    },
  });
  await cluster.meshed();
  assert.equal(asked, 5);
});

test("five nodes: every holder is found from every other node, each once", async () => {
  await using cluster = await Cluster.of(5);
  const [a, b, c] = cluster.nodes;
  assert(a && b && c);
  await Promise.all([a, b].map(({ router }) => router.advertise([KEY, DIGEST])));
  await c.router.advertise([DIGEST]);
  for (const node of cluster.nodes) {
    await findsExactly(node, KEY, [a, b].filter((holder) => holder !== node));
    await findsExactly(node, DIGEST, [a, b, c].filter((holder) => holder !== node));
  }
});

test("a thousand keys advertised at once are all found", async () => {
  await using cluster = await Cluster.of(3);
  const [a, , c] = cluster.nodes;
  assert(a && c);
  const keys = Array.from({ length: 1000 }, (_, i) => `sha256:${i.toString(16).padStart(64, "0")}`);
  await a.router.advertise(keys);
  for (const key of [keys[0], keys[511], keys[512], keys[999]]) {
    assert(key);
    await findsExactly(c, key, [a]);
  }
});

test("a late joiner finds old keys, and its own are found", async () => {
  await using cluster = await Cluster.of(2);
  const [a, b] = cluster.nodes;
  assert(a && b);
  await a.router.advertise([KEY]);
  const late = await cluster.add(addressesOf(b));
  await late.router.advertise([DIGEST]);
  await findsExactly(late, KEY, [a]);
  await findsExactly(a, DIGEST, [late]);
  await findsExactly(b, DIGEST, [late]);
});

test("keys advertised while alone reach whoever comes later", async () => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  await a.router.advertise([KEY]);
  const late = await cluster.add();
  await findsExactly(late, KEY, [a]);
});

test("withdrawn keys are served no more, and not announced to whoever comes later", async () => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  await a.router.advertise([KEY, DIGEST]);
  await a.router.withdraw([KEY, "never-advertised"]);
  const late = await cluster.add();
  await findsExactly(late, DIGEST, [a]);
  assert.deepEqual(await lookupAll(late, KEY), []);
});

test("a dead node leaves routing table and lookups, and lookups stay quick", async () => {
  await using cluster = await Cluster.of(3);
  const [a, b, c] = cluster.nodes;
  assert(a && b && c);
  await a.router.advertise([KEY]);
  await findsExactly(b, KEY, [a]);
  await a.router.stop();
  await eventually("the dead node is dropped", () => {
    return [b, c].every(({ router }) => router.peers().every(({ id }) => id !== a.router.id));
  });
  await findsExactly(b, KEY, []);
  await findsExactly(c, KEY, []);
  await c.router.stop();
  await eventually("nobody is left", () => b.router.peers().length === 0);
  assert.deepEqual(await lookupAll(b, KEY), []);
  assert.deepEqual(await lookupAll(b, DIGEST), []);
  await b.router.advertise([DIGEST]);
});

test("nodes may die while keys are advertised and looked up", async () => {
  await using cluster = await Cluster.of(5);
  const [a, b, ...rest] = cluster.nodes;
  assert(a && b);
  const keys = Array.from({ length: 600 }, (_, i) => `sha256:${i.toString(16).padStart(64, "b")}`);
  const busy = [
    a.router.advertise(keys),
    ...keys.slice(0, 50).map((key) => lookupAll(b, key, 2000)),
    ...rest.map(({ router }) => router.stop()),
  ];
  await Promise.all(busy);
  await findsExactly(b, keys[599] ?? "", [a]);
  await eventually("the dead are dropped", () => {
    return b.router.peers().map(({ id }) => id).join() === a.router.id;
  });
});

test("an unknown key: the lookup ends with nothing", async () => {
  await using cluster = await Cluster.of(3);
  for (const node of cluster.nodes) assert.deepEqual(await lookupAll(node, "no/such:key"), []);
});

test("a lookup that is aborted ends early, without an error", async () => {
  await using cluster = await Cluster.of(2);
  const [a] = cluster.nodes;
  assert(a);
  assert.deepEqual(
    await Array.fromAsync(a.router.lookup(KEY, { signal: AbortSignal.abort() })),
    [],
  );
  const controller = new AbortController();
  const pending = Array.fromAsync(a.router.lookup(DIGEST, controller));
  controller.abort();
  assert.deepEqual(await pending, []);
});

test("a lone node is ready, finds nothing and may advertise", async () => {
  await using cluster = new Cluster();
  const alone = await cluster.add([]);
  await eventually("it is ready", () => alone.router.ready());
  await alone.router.advertise([KEY]);
  assert.deepEqual(await lookupAll(alone, KEY), []);
  assert.deepEqual(alone.router.peers(), []);
});

test("a node that lists only itself, or nobody who answers, is ready all the same", async () => {
  await using cluster = new Cluster();
  const own: string[] = [];
  const selfish = await cluster.add({
    start: ({ addresses }) => Promise.resolve(void own.push(...addresses())),
    get: () =>
      Promise.resolve(own.map((text) => ({
        addresses: [{ ip: "127.0.0.1", port: Number(text.split("/").at(-1)) }],
      }))),
  });
  const hopeful = await cluster.add(["/ip4/127.0.0.1/tcp/1"]);
  const confused = await cluster.add({ get: () => Promise.reject(new Error("no answer")) });
  for (const { router } of [selfish, hopeful, confused]) {
    await eventually("it is ready", () => router.ready());
    assert.deepEqual(router.peers(), []);
  }
  assert.equal(own.length, 1);
});

test("peers without an id in the bootstrap list are reached", async () => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  const port = /tcp\/(\d+)/.exec(addressesOf(a)[0] ?? "")?.[1];
  const b = await cluster.add([`127.0.0.1:${port}`]);
  await cluster.meshed();
  assert.deepEqual(b.router.peers().map(({ id }) => id), [a.router.id]);
});

test("two partitions that learn of each other become one, and their keys meet", async () => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  const list: string[] = [];
  const b = await cluster.add({ get: (o) => createStaticBootstrapper({ peers: list }).get(o) });
  await Promise.all([a.router.advertise([KEY]), b.router.advertise([DIGEST])]);
  await eventually("b is ready alone", () => b.router.ready());
  assert.deepEqual(await lookupAll(b, KEY), []);
  list.push(...addressesOf(a));
  await cluster.meshed();
  await findsExactly(b, KEY, [a]);
  await findsExactly(a, DIGEST, [b]);
});

test("a node that comes back at the same address is found again", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using cluster = await Cluster.of(2);
    const [a, b] = cluster.nodes;
    assert(a && b);
    const first = await cluster.add(undefined, { dataDir: directory });
    await cluster.meshed();
    const port = Number(/tcp\/(\d+)/.exec(addressesOf(first)[0] ?? "")?.[1]);
    await first.router.stop();
    await eventually("it is gone", () => a.router.peers().length === 1);
    // Nobody tells it of the others: they try their lost peer again.
    const again = await cluster.add([], {
      dataDir: directory,
      listen: { host: "127.0.0.1", port },
    });
    assert.equal(again.router.id, first.router.id);
    await again.router.advertise([KEY]);
    await findsExactly(a, KEY, [again]);
    await findsExactly(b, KEY, [again]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("stop ends a router that was never started, and may be called twice", async () => {
  const { router } = await makeNode([]);
  await router.stop();
  await router.stop();
  assert.equal(router.ready(), false);
});

test("a port that is taken: start rejects and names the address", async () => {
  await using cluster = await Cluster.of(1);
  const port = Number(
    /tcp\/(\d+)/.exec(addressesOf(cluster.nodes[0] ?? assert.fail())[0] ?? "")?.[1],
  );
  const second = await makeNode([], { listen: { host: "127.0.0.1", port } });
  await assert.rejects(
    second.router.start(),
    new RegExp(`cannot listen on 127.0.0.1:${port}: the address is already in use$`),
  );
});
