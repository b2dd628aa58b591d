import assert from "node:assert/strict";
import { readLimited } from "../../lib/net/bytes.ts";
import { type Connect, connectTcp } from "../../lib/upstream/http/dial.ts";
import { MisconfiguredError } from "../../lib/upstream/misconfigured_error.ts";
import { ForbiddenTargetError } from "../../lib/upstream/forbidden_host.ts";
import { createSender, type UpstreamRequest } from "../../lib/upstream/send.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { test, testWith } from "../support/test.ts";

const NEVER = new AbortController().signal;

function request(url: string, more: Partial<UpstreamRequest> = {}): UpstreamRequest {
  const plain = { headers: {}, caCertificates: [], trustedHosts: new Set<string>() };
  return { method: "GET", url: new URL(url), ...plain, signal: NEVER, ...more };
}

/** A server on loopback that the whole internet is. */
function internet(
  answer: (request: Request) => Response | Promise<Response>,
  tls: { cert: string; key: string } | Record<never, never> = {},
) {
  const seen: string[] = [];
  const connections = new Set<number>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls },
    (request, { remoteAddr }) => {
      seen.push(`${request.method} ${request.url}`);
      connections.add((remoteAddr as Deno.NetAddr).port);
      return answer(request);
    },
  );
  /** Addresses that were connected to, those with an 9 at their end in vain. */
  const dialled: string[] = [];
  const connect: Connect = async (address, port, signal) => {
    dialled.push(`${address} ${port}`);
    if (address.endsWith("9")) throw new Error("refused");
    return await connectTcp("127.0.0.1", server.addr.port, signal);
  };
  return {
    ...{ seen, connections, dialled, connect, port: server.addr.port },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function textOf(response: Response): Promise<string> {
  return `${response.status} ${new TextDecoder().decode(await readLimited(response, 1000))}`;
}

test("a name server that does not answer holds nobody longer than the signal allows", async () => {
  const stop = new AbortController();
  using sender = createSender({
    resolve: () => {
      stop.abort(new Error("time is up"));
      return new Promise(() => {});
    },
  });
  const asked = request("https://token.example/", { signal: stop.signal });
  await assert.rejects(() => sender.send(asked), /time is up/);
});

test("what was looked at is connected to, whatever the name server says next", async () => {
  await using net = internet(() => new Response("hi"));
  const answers = [["192.0.2.1"], ["127.0.0.1"], ["169.254.169.254"], ["192.0.2.2"]];
  let lookups = 0;
  const resolve = () => Promise.resolve(answers[lookups++] ?? assert.fail());
  using sender = createSender({ resolve, connect: net.connect, findProxy: () => undefined });
  const asked = request("http://rebinds.example/v2/");
  assert.equal(await textOf(await sender.send(asked)), "200 hi");
  assert.equal(await textOf(await sender.send(asked)), "200 hi");
  // The connection was used again: nobody had to be asked where the host is.
  assert.deepEqual([lookups, net.connections.size], [1, 1]);
  // To have a new one each time, as many are wanted at the same time.
  const all = await Promise.allSettled([1, 2, 3, 4].map(() => sender.send(asked).then(textOf)));
  const failures = all.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
  assert.equal(failures.length, 2);
  for (const failure of failures) assert.ok(failure instanceof ForbiddenTargetError);
  assert.deepEqual(net.dialled, ["192.0.2.1 80", "192.0.2.2 80"]);
  assert.ok(net.seen.every((line) => line === "GET http://rebinds.example/v2/"));
});

test("each step of a redirect is looked at, and connected to as it was", async () => {
  const names: Record<string, string[]> = {
    "first.example": ["192.0.2.1"],
    "second.example": ["192.0.2.9", "2001:db8::2"],
    "inside.example": ["127.0.0.1"],
  };
  await using net = internet((request) => {
    const { hostname, pathname } = new URL(request.url);
    const secrets = `${request.headers.get("x-key")} ${request.headers.get("authorization")}`;
    if (hostname === "first.example") {
      const location = `http://${pathname.slice(1)}/end`;
      return new Response(null, { status: 307, headers: { location } });
    }
    return new Response(`${hostname} ${secrets} ${request.headers.get("accept")}`);
  });
  const resolve = (name: string) => Promise.resolve(names[name] ?? assert.fail());
  using sender = createSender({ resolve, connect: net.connect, findProxy: () => undefined });
  const headers = { "x-key": "k", authorization: "Basic x", accept: "a" };
  const follow = (to: string) => sender.send(request(`http://first.example/${to}`, { headers }));
  assert.equal(await textOf(await follow("second.example")), "200 second.example null null a");
  assert.deepEqual(net.dialled, ["192.0.2.1 80", "192.0.2.9 80", "2001:db8::2 80"]);
  const inside = [
    ...["inside.example", "127.0.0.1:8080", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"],
    ...["169.254.169.254", "[64:ff9b::a9fe:a9fe]", "user:pass@second.example"],
  ];
  for (const target of inside) {
    await assert.rejects(() => follow(target), ForbiddenTargetError, target);
  }
  assert.equal(net.dialled.length, 3);
});

test("names of this machine in every spelling are not asked, those that are trusted are", async () => {
  await using net = internet(() => new Response("here"));
  const resolve = (name: string) =>
    name.includes("localhost") ? Promise.resolve(["127.0.0.1", "::1"]) : Promise.reject(name);
  using sender = createSender({ resolve, connect: net.connect, findProxy: () => undefined });
  const spellings = [
    ...["localhost", "LOCALHOST", "localhost.", "x.localhost", "127.1", "127.0.0.1", "0177.0.0.1"],
    ...["0x7f000001", "2130706433", "0", "0.0.0.0", "[::]", "[::1]", "[::ffff:7f00:1]"],
  ];
  for (const host of spellings) {
    for (const scheme of ["http", "https"]) {
      const asked = request(`${scheme}://${host}:18002/v2/`);
      await assert.rejects(() => sender.send(asked), ForbiddenTargetError, host);
    }
  }
  assert.deepEqual(net.dialled, []);
  const url = `http://localhost:${net.port}/v2/`;
  const trustedHosts = new Set([`localhost:${net.port}`]);
  assert.equal(await textOf(await sender.send(request(url, { trustedHosts }))), "200 here");
  // Nor does anybody else get the connection that trust has opened.
  await assert.rejects(() => sender.send(request(url)), ForbiddenTargetError);
});

test("a connection that the server has closed meanwhile costs a new one, not the question", async () => {
  let answered = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const conn of listener) {
      await conn.read(new Uint8Array(4096));
      answered++;
      await conn.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
      conn.close();
    }
  })();
  using sender = createSender({
    resolve: () => Promise.resolve(["192.0.2.1"]),
    connect: (_, __, signal) => connectTcp("127.0.0.1", listener.addr.port, signal),
    findProxy: () => undefined,
  });
  for (let time = 0; time < 3; time++) {
    assert.equal((await sender.send(request("http://short.example/"))).status, 200);
  }
  assert.equal(answered, 3);
  listener.close();
  await serving;
});

test("an abort ends a question and the body of its answer, and closes the connection", async () => {
  const part = new TextEncoder().encode("part");
  await using net = internet(() =>
    new Response(new ReadableStream({ start: (controller) => controller.enqueue(part) }))
  );
  using sender = createSender({
    ...{ resolve: () => Promise.resolve(["192.0.2.1"]), connect: net.connect },
    findProxy: () => undefined,
  });
  const stop = new AbortController();
  const { body } = await sender.send(request("http://slow.example/", { signal: stop.signal }));
  const reader = (body ?? assert.fail()).getReader();
  assert.deepEqual((await reader.read()).value, part);
  const next = reader.read();
  stop.abort(new Error("enough"));
  await assert.rejects(next);
});

testWith(
  await missingOpenssl(),
  "TLS proves the name of the URL, at whatever address",
  async () => {
    const directory = await Deno.makeTempDir({ prefix: "eddy-tls-" });
    try {
      const authority = await Authority.make(`${directory}/ca`);
      await authority.issue(`${directory}/node`, "registry.example");
      const cert = await Deno.readTextFile(`${directory}/node/tls.crt`);
      const key = await Deno.readTextFile(`${directory}/node/tls.key`);
      await using net = internet(({ method, url }) => {
        const location = url.replace("https:", "http:");
        return url.endsWith("/down")
          ? new Response(null, { status: 307, headers: { location } })
          : new Response(method);
      }, { cert, key });
      using sender = createSender({
        ...{ resolve: () => Promise.resolve(["192.0.2.1"]), connect: net.connect },
        findProxy: () => undefined,
      });
      const caCertificates = [await authority.certificate()];
      const ask = (host: string, trust: readonly string[] = caCertificates) =>
        sender.send(
          request(`https://${host}${host.includes("/") ? "" : "/v2/"}`, { caCertificates: trust }),
        ).then(textOf);
      assert.equal(await ask("registry.example"), "200 GET");
      assert.equal(await ask("registry.example"), "200 GET");
      assert.equal(net.connections.size, 1, "no handshake for each question");
      assert.deepEqual(net.seen.at(-1), "GET https://registry.example/v2/");
      await assert.rejects(() => ask("registry.example/down"), ForbiddenTargetError);
      await assert.rejects(() => ask("other.example"), /certificate/);
      await assert.rejects(() => ask("registry.example", []), /certificate|UnknownIssuer/);
      assert.deepEqual(new Set(net.dialled), new Set(["192.0.2.1 443"]));
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);

test("a form is sent once, by a connection of its own", async () => {
  const forms: string[] = [];
  await using net = internet(async (request) => {
    forms.push(`${request.headers.get("content-type")} ${await request.text()}`);
    return new Response(null, { status: 307, headers: { location: "http://elsewhere.example/" } });
  });
  using sender = createSender({
    ...{ resolve: () => Promise.resolve(["192.0.2.1"]), connect: net.connect },
    findProxy: () => undefined,
  });
  const form = new URLSearchParams({ token: "a b&c" });
  for (let time = 0; time < 2; time++) {
    const asked = request("http://token.example/", { method: "POST", form });
    assert.equal((await sender.send(asked)).status, 307);
  }
  const sent = "application/x-www-form-urlencoded;charset=UTF-8 token=a+b%26c";
  assert.deepEqual(forms, [sent, sent]);
  assert.equal(net.connections.size, 2);
});

test("by a proxy go names that only it knows, but neither forbidden ones nor this machine's", async () => {
  const seen: string[] = [];
  await using proxy = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      seen.push(request.url);
      return new Response("by proxy");
    },
  );
  const before = Deno.env.get("HTTP_PROXY");
  Deno.env.set("HTTP_PROXY", `http://127.0.0.1:${proxy.addr.port}`);
  try {
    const resolve = (name: string) =>
      name === "inside.example" ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error(name));
    const dialled: string[] = [];
    const connect: Connect = (address) => {
      dialled.push(address);
      return Promise.reject(new Error("refused"));
    };
    using sender = createSender({ resolve, connect });
    const url = "http://only-outside.example/v2/";
    assert.equal(await textOf(await sender.send(request(url))), "200 by proxy");
    for (const host of ["inside.example", "169.254.169.254", "[::ffff:127.0.0.1]", "127.0.0.1"]) {
      await assert.rejects(() => sender.send(request(`http://${host}/`)), ForbiddenTargetError);
    }
    const trusted = request("http://127.0.0.1:1/", { trustedHosts: new Set(["127.0.0.1:1"]) });
    await assert.rejects(() => sender.send(trusted), /refused/);
    assert.deepEqual(seen, [url]);
    assert.deepEqual(dialled, ["127.0.0.1"]);
  } finally {
    if (before === undefined) Deno.env.delete("HTTP_PROXY");
    else Deno.env.set("HTTP_PROXY", before);
  }
});

test("skip_verify cannot be used through a proxy", async () => {
  using sender = createSender({
    ...{ resolve: () => Promise.resolve(["192.0.2.1"]) },
    findProxy: () => new URL("http://127.0.0.1:9"),
  });
  const asked = request("https://registry.example/v2/", { skipVerify: true });
  await assert.rejects(() => sender.send(asked), (error: unknown) => {
    assert.ok(error instanceof MisconfiguredError);
    assert.match(error.fix, /NO_PROXY/);
    return true;
  });
});
