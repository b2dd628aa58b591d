import assert from "node:assert/strict";
import { createDnsBootstrapper } from "../../lib/router/bootstrap/dns_bootstrapper.ts";
import {
  createHttpBootstrapper,
  parseAnswer,
} from "../../lib/router/bootstrap/http_bootstrapper.ts";
import { resolveHost } from "../../lib/router/bootstrap/resolve_host.ts";
import { createStaticBootstrapper } from "../../lib/router/bootstrap/static_bootstrapper.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const ID = "12D3KooWEy9KWfkVHDvQNu2HnsBstNEJ6HPijJnsKepor4jQ51AG";
const { signal } = new AbortController();

const NAMES: Record<string, string[]> = {
  peers: ["10.0.0.1", "2001:db8::1"],
  one: ["10.0.0.9"],
};

function resolve(host: string): Promise<string[]> {
  const found = NAMES[host] ?? (/^[0-9a-f.:]+$/.test(host) ? [host] : undefined);
  return found ? Promise.resolve(found) : Promise.reject(new Error(`${host} not found`));
}

async function statusOf(url: string, init?: RequestInit): Promise<number> {
  const response = await fetch(url, init);
  await response.body?.cancel();
  return response.status;
}

test("dns: every address of the name is a peer at the router's port", async () => {
  const peers = await createDnsBootstrapper({ domain: "peers" }, { resolve }).get({ signal });
  assert.deepEqual(peers, [
    { addresses: [{ ip: "10.0.0.1" }] },
    { addresses: [{ ip: "2001:db8::1" }] },
  ]);
});

test("dns: a name that does not resolve rejects; an empty one is refused", async () => {
  await assert.rejects(createDnsBootstrapper({ domain: "gone" }, { resolve }).get({ signal }), {
    message: "gone not found",
  });
  assert.throws(() => createDnsBootstrapper({ domain: "" }), /domain is empty/);
});

test("the system's resolver answers for localhost and for addresses, and gives up on abort", async () => {
  assert((await resolveHost("localhost", { signal })).some((ip) => /^(127\.|::1$)/.test(ip)));
  assert.deepEqual(await resolveHost("10.1.2.3", { signal }), ["10.1.2.3"]);
  await assert.rejects(resolveHost("localhost", { signal: AbortSignal.abort() }), {
    name: "AbortError",
  });
});

test("static: ids, ports and names are taken as they are", async () => {
  const bootstrapper = createStaticBootstrapper({
    peers: [`/ip4/10.0.0.1/tcp/5001/p2p/${ID}`, "10.0.0.2", "peers:6001", `/dns4/peers/p2p/${ID}`],
  }, { resolve });
  assert.deepEqual(await bootstrapper.get({ signal }), [
    { id: ID, addresses: [{ ip: "10.0.0.1", port: 5001 }] },
    { addresses: [{ ip: "10.0.0.2" }] },
    { addresses: [{ ip: "10.0.0.1", port: 6001 }] },
    { addresses: [{ ip: "2001:db8::1", port: 6001 }] },
    { id: ID, addresses: [{ ip: "10.0.0.1" }, { ip: "2001:db8::1" }] },
  ]);
});

test("static: an empty list is nobody; one bad name does not hide the others; all bad reject", async () => {
  assert.deepEqual(await createStaticBootstrapper({ peers: [] }, { resolve }).get({ signal }), []);
  const some = createStaticBootstrapper({ peers: ["gone", "one"] }, { resolve });
  assert.deepEqual(await some.get({ signal }), [{ addresses: [{ ip: "10.0.0.9" }] }]);
  const none = createStaticBootstrapper({ peers: ["gone"] }, { resolve });
  await assert.rejects(none.get({ signal }), { message: "gone not found" });
});

test("static: a name that cannot be resolved any more is what it was last", async () => {
  const known = { ...NAMES };
  const peers = ["10.0.0.2", "one"];
  const bootstrapper = createStaticBootstrapper({ peers }, {
    resolve(host) {
      const found = host === "one" ? known["one"] : [host];
      return found ? Promise.resolve(found) : Promise.reject(new Error("no name server"));
    },
  });
  const both = [{ addresses: [{ ip: "10.0.0.2" }] }, { addresses: [{ ip: "10.0.0.9" }] }];
  assert.deepEqual(await bootstrapper.get({ signal }), both);
  delete known["one"];
  assert.deepEqual(await bootstrapper.get({ signal }), both);
  known["one"] = ["10.0.0.3"];
  assert.deepEqual((await bootstrapper.get({ signal }))[1], { addresses: [{ ip: "10.0.0.3" }] });
});

test("static: a malformed peer is refused at once", () => {
  assert.throws(() => createStaticBootstrapper({ peers: ["10.0.0.1:x"] }), /is malformed/);
});

test("http: what one serves the other reads", async () => {
  const server = createHttpBootstrapper({
    listen: { host: "127.0.0.1", port: 0, log: new MemoryLog() },
    url: "http://127.0.0.1:1/id",
  });
  await server.start({ id: ID, addresses: () => ["/ip4/10.0.0.1/tcp/5001", "/ip6/::1/tcp/5001"] });
  const url = `http://127.0.0.1:${server.port}`;
  try {
    const client = createHttpBootstrapper({ url: `${url}/id` });
    await client.start({ id: "", addresses: () => [] });
    assert.equal(client.port, undefined);
    assert.deepEqual(await client.get({ signal }), [{
      id: ID,
      addresses: [{ ip: "10.0.0.1", port: 5001 }, { ip: "::1", port: 5001 }],
    }]);
    const raw = await fetch(`${url}/id`);
    assert.deepEqual(await raw.json(), [
      { ID, Addrs: ["/ip4/10.0.0.1/tcp/5001", "/ip6/::1/tcp/5001"] },
    ]);
    assert.equal(await statusOf(`${url}/other`), 404);
    assert.equal(await statusOf(`${url}/id`, { method: "POST" }), 405);
    await assert.rejects(
      createHttpBootstrapper({ url: `${url}/x` }).get({ signal }),
      /404, want 200/,
    );
    await client.stop();
  } finally {
    await server.stop();
  }
});

test("http: an address that is taken is refused in one line", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const listen = { host: "127.0.0.1", port, log: new MemoryLog() };
  const server = createHttpBootstrapper({ listen, url: "http://127.0.0.1:9/id" });
  await assert.rejects(server.start({ id: ID, addresses: () => [] }), {
    name: "RouterListenError",
    message: /^HTTP bootstrap cannot listen on 127\.0\.0\.1:\d+: .*in use/,
  });
});

test("http: some other peers are told after the own address, not all, and as unverified", async () => {
  const limits: number[] = [];
  const server = createHttpBootstrapper({
    listen: { host: "127.0.0.1", port: 0, log: new MemoryLog() },
    url: "http://127.0.0.1:1/id",
  });
  await server.start({
    id: ID,
    addresses: () => ["/ip4/10.0.0.1/tcp/5001"],
    others(limit) {
      limits.push(limit);
      return [{ id: "", addresses: ["/ip4/10.0.0.2/tcp/5001"] }];
    },
  });
  try {
    const client = createHttpBootstrapper({ url: `http://127.0.0.1:${server.port}/id` });
    assert.deepEqual(await client.get({ signal }), [
      { id: ID, addresses: [{ ip: "10.0.0.1", port: 5001 }] },
      { addresses: [{ ip: "10.0.0.2", port: 5001 }], unverified: true },
    ]);
    assert.deepEqual(limits, [7]);
  } finally {
    await server.stop();
  }
});

const ANSWERS: [string, unknown][] = [
  ["[]", []],
  [`[{"ID":"${ID}","Addrs":["/ip4/10.0.0.1/tcp/5001"]}]`, [
    { id: ID, addresses: [{ ip: "10.0.0.1", port: 5001 }] },
  ]],
  [`[{"ID":"","Addrs":["/ip4/10.0.0.1"]}]`, [{ addresses: [{ ip: "10.0.0.1" }] }]],
  [`[{"Addrs":["/ip4/10.0.0.1"]}]`, [{ addresses: [{ ip: "10.0.0.1" }] }]],
  [`[{"Addrs":["/ip4/10.0.0.1"],"Hearsay":false}]`, [{ addresses: [{ ip: "10.0.0.1" }] }]],
  [`[{"Addrs":["/ip4/10.0.0.1"],"Hearsay":1}]`, [
    { addresses: [{ ip: "10.0.0.1" }], unverified: true },
  ]],
  [`[{"Addrs":["/ip4/10.0.0.1/udp/1/quic-v1","/dns4/x/tcp/1"]}]`, []],
];

for (const [text, wanted] of ANSWERS) {
  test(`http answer ${text}`, () => assert.deepEqual(parseAnswer(text), wanted));
}

for (
  const text of ["", "{}", "null", "[null]", "[1]", '[{"ID":1,"Addrs":[]}]', '[{"Addrs":[1]}]']
) {
  test(`bad http answer ${JSON.stringify(text)}`, () => assert.throws(() => parseAnswer(text)));
}

test("http: an answer of ten thousand peers is cut", () => {
  const many = Array.from({ length: 10_000 }, () => ({ Addrs: ["/ip4/10.0.0.1"] }));
  assert.equal(parseAnswer(JSON.stringify(many)).length, 4096);
});

test("http: an endless answer, a redirect and a silent server are given up", async () => {
  const controller = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    signal: controller.signal,
  }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/redirect") return Response.redirect(`${request.url}/id`);
    if (pathname === "/silent") return new Promise<Response>(() => {});
    return new Response(
      new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(65536)) }),
    );
  });
  const get = (path: string, cancel = signal) =>
    createHttpBootstrapper({ url: `http://127.0.0.1:${server.addr.port}${path}` })
      .get({ signal: cancel });
  await assert.rejects(get("/endless"), /longer than 1048576 bytes/);
  await assert.rejects(get("/redirect"));
  const impatient = new AbortController();
  const silent = get("/silent", impatient.signal);
  impatient.abort();
  await assert.rejects(silent, { name: "AbortError" });
  controller.abort();
  await server.finished;
});

for (const url of ["", "nonsense", "ftp://host/id", "host:5000"]) {
  test(`http bootstrap URL ${JSON.stringify(url)} is refused`, () => {
    assert.throws(() => createHttpBootstrapper({ url }), /HTTP bootstrap URL is .* want http/);
  });
}
