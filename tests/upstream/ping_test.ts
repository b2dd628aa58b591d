import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import { createUpstream } from "../../lib/upstream/create_upstream.ts";
import { defaultEndpoint, type UpstreamEndpoint } from "../../lib/upstream/endpoint.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const REACHED = { type: "missing", hidden: false };
const OTHER = { type: "unavailable", reason: "misconfigured" };
const BROKEN = { type: "unavailable", reason: "broken" };
const HTML = { "content-type": "text/html; charset=utf-8" };
const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };
const API = { "docker-distribution-api-version": "registry/2.0" };
const { signal } = new AbortController();

/** A request that arrived. */
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
}

interface Served {
  readonly endpoint: UpstreamEndpoint;
  readonly requests: Asked[];
}

async function withServer(
  answer: () => Response | Promise<Response>,
  run: (served: Served) => Promise<void>,
): Promise<void> {
  const requests: Asked[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (one) => {
    const { method, url, headers } = one;
    requests.push({ method, path: new URL(url).pathname, headers: new Headers(headers) });
    return answer();
  });
  const endpoint = { ...defaultEndpoint(`127.0.0.1:${server.addr.port}`), named: true };
  await run({ requests, endpoint });
}

function upstreamOf(endpoints: readonly UpstreamEndpoint[]) {
  const log = new MemoryLog();
  const upstream = createUpstream({
    ...{ clock: systemClock, log },
    endpoints: () => Promise.resolve(endpoints),
  });
  return { upstream, log, [Symbol.dispose]: () => upstream.close() };
}

const ANSWERS: readonly [
  string,
  status: number,
  headers: Record<string, string>,
  body: string,
  unknown,
][] = [
  ["distribution", 200, { ...JSON_TYPE, ...API }, "{}", REACHED],
  ["an empty body", 200, {}, "", REACHED],
  ["a token is wanted", 401, { "www-authenticate": 'Bearer realm="https://a.test"' }, "", REACHED],
  ["credentials are wanted", 401, { "www-authenticate": 'Basic realm="a"' }, "", REACHED],
  ["an error of the API", 403, JSON_TYPE, '{"errors":[]}', REACHED],
  ["a limit", 429, JSON_TYPE, '{"errors":[]}', REACHED],
  ["no such path, of a registry", 404, API, "", REACHED],
  ["a login page", 200, HTML, "<html>", OTHER],
  ["a page that refuses", 403, HTML, "<html>", OTHER],
  ["a page that says it is a registry", 401, { ...HTML, ...API }, "<html>", OTHER],
  ["text", 200, { "content-type": "text/plain" }, "blocked", OTHER],
  ["another authentication", 401, { "www-authenticate": "Negotiate" }, "", OTHER],
  ["no such path", 404, {}, "", OTHER],
  ["a proxy's refusal", 407, JSON_TYPE, "{}", OTHER],
  ["it fails", 503, { ...JSON_TYPE, ...API }, "{}", BROKEN],
];

test("whether a registry answers: what its answers mean", async (t) => {
  for (const [name, status, headers, body, expected] of ANSWERS) {
    await t.step(
      name,
      () =>
        withServer(
          () => new Response(body === "" ? null : body, { status, headers }),
          async (served) => {
            using rig = upstreamOf([served.endpoint]);
            assert.deepEqual(await rig.upstream.ping("a.test", { signal }), expected);
            const [request] = served.requests;
            assert.equal(request?.method, "GET");
            assert.equal(request?.path, "/v2/");
            assert.deepEqual(rig.log.lines.filter(({ level }) => level === "warn"), []);
          },
        ),
    );
  }
});

test("whether a registry answers is asked without the node's headers and credentials", async () => {
  await withServer(() => Response.json({}), async ({ endpoint, requests }) => {
    using rig = upstreamOf([{
      ...endpoint,
      headers: { "x-secret": "s", authorization: "Basic czpz" },
      credentials: { username: "u", password: "p" },
    }]);
    assert.deepEqual(await rig.upstream.ping("a.test", { signal }), REACHED);
    assert.equal(requests[0]?.headers.get("x-secret"), null);
    assert.equal(requests[0]?.headers.get("authorization"), null);
  });
});

test("a registry answers if all its servers do", async () => {
  await withServer(() => Response.json({}), async (up) => {
    await withServer(() => new Response(null, { status: 502 }), async (down) => {
      using rig = upstreamOf([up.endpoint, down.endpoint]);
      assert.deepEqual(await rig.upstream.ping("a.test", { signal }), BROKEN);
      assert.equal(down.requests.length, 1);
    });
  });
});

test("a host that only a client's request names is not asked, and nobody is warned", async () => {
  await withServer(() => Response.json({}), async ({ endpoint, requests }) => {
    using rig = upstreamOf([{ ...endpoint, named: false }]);
    const answer = await rig.upstream.ping("a.test", { signal });
    assert.deepEqual(answer, { type: "unavailable", reason: "forbidden" });
    assert.deepEqual(requests, []);
    assert.deepEqual(rig.log.lines.filter(({ level }) => level === "warn"), []);
  });
});

test("failures do not open a server's circuit, and an open one is not closed", async () => {
  let isUp = false;
  const answer = () => isUp ? Response.json({}) : new Response(null, { status: 500 });
  const path = {
    kind: "manifest",
    reference: { registry: "a.test", repository: "app", tag: "v1" },
  } as const;
  await withServer(answer, async ({ endpoint, requests }) => {
    using rig = upstreamOf([endpoint]);
    for (let round = 0; round < 5; round++) await rig.upstream.ping("a.test", { signal });
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await rig.upstream.head(path, { signal }), BROKEN);
    }
    assert.equal(requests.length, 5 + 2);
    isUp = true;
    assert.deepEqual(await rig.upstream.ping("a.test", { signal }), REACHED);
    const unasked = await rig.upstream.head(path, { signal });
    assert.deepEqual(unasked, { type: "unavailable", reason: "circuit-open", because: "broken" });
  });
});

test("it is bounded in time, and ends with the caller", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await withServer(() => promise, async ({ endpoint }) => {
    const upstream = createUpstream({
      ...{ clock: systemClock, log: new MemoryLog() },
      endpoints: () => Promise.resolve([endpoint]),
    }, { budgetMs: 100 });
    const late = await upstream.ping("a.test", { signal });
    assert.deepEqual(late, { type: "unavailable", reason: "timeout" });
    const leaving = new AbortController();
    const asked = upstream.ping("a.test", leaving);
    leaving.abort(new Error("left"));
    await assert.rejects(asked, /left/);
    upstream.close();
    resolve(new Response());
  });
});
