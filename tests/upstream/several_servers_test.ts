import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import type { Credentials } from "../../lib/oci/credentials.ts";
import { isDigest } from "../../lib/oci/digest.ts";
import type { UpstreamAnswer } from "../../lib/ports/access.ts";
import { createUpstream, type UpstreamOptions } from "../../lib/upstream/create_upstream.ts";
import { defaultEndpoint, type UpstreamEndpoint } from "../../lib/upstream/endpoint.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import { MANIFEST, MANIFEST_DIGEST } from "./token_registry.ts";

const FOUND = { type: "found", digest: MANIFEST_DIGEST };
const MANIFEST_TYPE = "application/vnd.oci.image.index.v1+json";
const MISCONFIGURED = { type: "unavailable", reason: "misconfigured" };
const FORBIDDEN = { type: "unavailable", reason: "forbidden" };

type Handler = (request: Request) => Response | Promise<Response>;

const found: Handler = ({ method }) =>
  new Response(method === "HEAD" ? null : MANIFEST, {
    headers: { "content-type": MANIFEST_TYPE, "docker-content-digest": MANIFEST_DIGEST },
  });
const status = (code: number, headers = {}): Handler => () =>
  new Response(null, { status: code, headers });
const BASIC = { "www-authenticate": 'Basic realm="x"' };
const denied = status(401, BASIC);

/** A registry with several servers on loopback; `down` stands for one that is not there. */
async function withServers(
  handlers: readonly (Handler | "down")[],
  run: (rig: {
    head(what?: string, credentials?: Credentials): Promise<UpstreamAnswer>;
    readonly requests: number[];
    readonly log: MemoryLog;
  }) => Promise<void>,
  options: UpstreamOptions = {},
  settings: readonly Partial<UpstreamEndpoint>[] = [],
): Promise<void> {
  const requests = handlers.map(() => 0);
  const servers = handlers.map((handler, index) =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      requests[index] = (requests[index] ?? 0) + 1;
      return handler === "down" ? new Response(null, { status: 500 }) : handler(request);
    })
  );
  const endpoints: UpstreamEndpoint[] = servers.map(({ addr }, index) => ({
    ...defaultEndpoint(`127.0.0.1:${(addr as Deno.NetAddr).port}`),
    ...{ named: true, ...settings[index] },
  }));
  for (const [index, server] of servers.entries()) {
    if (handlers[index] === "down") await server.shutdown();
  }
  const log = new MemoryLog();
  const upstream = createUpstream({
    clock: systemClock,
    log,
    endpoints: () =>
      // The server is often a host, too.
      Promise.resolve([...endpoints, ...endpoints.map((each) => ({ ...each }))]),
  }, options);
  const head = (what = "1", credentials?: Credentials) => {
    const place = { registry: "registry.test", repository: "team/app" };
    const reference = isDigest(what) ? { ...place, digest: what } : { ...place, tag: what };
    const signal = AbortSignal.timeout(10_000);
    return upstream.head({ kind: "manifest", reference }, {
      ...(credentials === undefined ? { signal } : { signal, credentials }),
    });
  };
  try {
    await run({ head, requests, log });
  } finally {
    upstream.close();
    for (const [index, server] of servers.entries()) {
      if (handlers[index] !== "down") await server.shutdown();
    }
  }
}

test("a mirror's refusal counts, whatever the next server says or does", async () => {
  const nexts: (Handler | "down")[] = [status(404), status(500), "down"];
  for (const next of nexts) {
    await withServers([denied, next], async ({ head }) => {
      assert.deepEqual(await head(), { type: "denied" });
    });
  }
});

test("a server that fails is not asked again soon, a mirror beside it is", async () => {
  await withServers(["down", found], async ({ head, requests }) => {
    for (const tag of ["1", "2", "3", "4"]) assert.deepEqual(await head(tag), FOUND);
    assert.deepEqual(requests, [0, 4]);
  });
  await withServers([status(500), status(404)], async ({ head, requests }) => {
    const answers = [];
    for (const tag of ["1", "2", "3", "4"]) answers.push(await head(tag));
    const failed = (reason: string) => ({ type: "unavailable", reason });
    assert.deepEqual(answers, [
      failed("broken"),
      failed("broken"),
      { ...failed("circuit-open"), because: "broken" },
      { ...failed("circuit-open"), because: "broken" },
    ]);
    assert.deepEqual(requests, [2, 4]);
  });
});

test("a server that is a host, too, is asked once, and fails once", async () => {
  await withServers([status(503)], async ({ head, requests }) => {
    const failed = (reason: string) => ({ type: "unavailable", reason });
    assert.deepEqual(await head("1"), failed("broken"));
    assert.deepEqual(await head("2"), failed("broken"), "one failure is no outage");
    assert.deepEqual(await head("3"), { ...failed("circuit-open"), because: "broken" });
    assert.deepEqual(requests, [2]);
  });
});

test("a server that hangs does not cost the others their time", async () => {
  const held = Promise.withResolvers<Response>();
  await withServers([() => held.promise, found], async ({ head }) => {
    assert.deepEqual(await head(), FOUND);
    held.resolve(new Response());
  });
});

test("a server without HEAD is asked by GET, as containerd does", async () => {
  const getOnly: Handler = (request) =>
    request.method === "HEAD" ? new Response(null, { status: 405 }) : found(request);
  await withServers([getOnly], async ({ head, requests }) => {
    assert.deepEqual(await head(), FOUND);
    assert.deepEqual(requests, [2]);
  });
});

test("a digest header counts beside a manifest's media type only", async () => {
  const page: Handler = ({ method }) =>
    new Response(method === "HEAD" ? null : "<html>", {
      headers: { "content-type": "text/html", "docker-content-digest": MANIFEST_DIGEST },
    });
  await withServers([page], async ({ head, log }) => {
    assert.deepEqual(await head(), MISCONFIGURED);
    assert.deepEqual(await head("2"), MISCONFIGURED);
    const warnings = log.lines.filter(({ level }) => level === "warn");
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]?.message ?? "", /cannot be asked as it is configured/);
    assert.equal(warnings[0]?.fields["registry"], "registry.test");
    assert.match(String(warnings[0]?.fields["error"]), /something other than the content/);
    assert.match(String(warnings[0]?.fields["fix"]), /hosts\.toml/);
  });
});

test("a registry whose token server may not be asked is no outage, however often it is asked", async () => {
  const bearer = status(401, { "www-authenticate": 'Bearer realm="http://127.0.0.1:9/token"' });
  await withServers([bearer], async ({ head, log }) => {
    for (const tag of ["1", "2", "3", "4"]) assert.deepEqual(await head(tag), FORBIDDEN);
    const warnings = log.lines.filter(({ level }) => level === "warn");
    assert.equal(warnings.length, 1);
  });
});

test("a token server that is gone with its registry is an outage", async () => {
  let isUp = true;
  let tokens = 0;
  const registry: Handler = (request) => {
    if (!isUp) return new Response(null, { status: 503 });
    const { pathname, host } = new URL(request.url);
    if (pathname === "/token") return Response.json({ token: `t${tokens++}`, expires_in: 1 });
    const realm = `Bearer realm="http://${host}/token"`;
    return request.headers.has("authorization")
      ? found(request)
      : new Response(null, { status: 401, headers: { "www-authenticate": realm } });
  };
  await withServers([registry], async ({ head }) => {
    assert.deepEqual(await head(), FOUND);
    isUp = false;
    assert.deepEqual(await head("2"), { type: "unavailable", reason: "broken" });
  });
});

test("a server is asked for what its capabilities allow, as containerd does", async () => {
  const cases: [settings: Partial<UpstreamEndpoint>[], tag: number[], digest: number[]][] = [
    [[{}, {}], [1, 1], [1, 1]],
    [[{ resolves: false }, {}], [0, 1], [1, 1]],
    [[{ resolves: false, pulls: false }, {}], [0, 1], [0, 1]],
    [[{ resolves: false }, { resolves: false }], [0, 0], [1, 1]],
  ];
  for (const [settings, tag, digest] of cases) {
    await withServers(
      [status(404), status(404)],
      async ({ head, requests }) => {
        const answer = await head();
        const isAsked = tag.some((count) => count > 0);
        assert.deepEqual(answer, isAsked ? { type: "missing", hidden: false } : MISCONFIGURED);
        assert.deepEqual(requests.splice(0, 2, 0, 0), tag);
        await head(MANIFEST_DIGEST);
        assert.deepEqual(requests, digest);
      },
      {},
      settings,
    );
  }
});

test("each server has its own names, credentials and scope of a token", async () => {
  const seen: string[] = [];
  const note: Handler = ({ url, headers }) => {
    const { pathname, searchParams } = new URL(url);
    seen.push(`${pathname} ${searchParams.get("ns")} ${headers.get("authorization") ?? "-"}`);
    return new Response(null, { status: headers.has("authorization") ? 404 : 401, headers: BASIC });
  };
  const credentials = { username: "u", password: "p" };
  const configured = { username: "", password: "", configured: "as they are" };
  const settings = [{ credentials, rewrites: [["^(.*)$", "hub/$1"]] as const }, {}];
  await withServers(
    [note, note],
    async ({ head }) => {
      assert.deepEqual(await head("1", configured), { type: "denied" });
      assert.deepEqual(seen, [
        "/v2/hub/team/app/manifests/1 registry.test -",
        `/v2/hub/team/app/manifests/1 registry.test Basic ${btoa("u:p")}`,
        "/v2/team/app/manifests/1 registry.test -",
      ]);
    },
    {},
    settings,
  );
});

test("below a server's path a repository has the name that the server tells", async () => {
  const cases: [told: string, asked: string][] = [
    ["repository:proxy/team/app:pull,push", "repository:proxy/team/app:pull"],
    ["repository:team/app:*", "repository:team/app:pull"],
    ["repository:other/secret:pull", "repository:team/app:pull"],
    ["registry:catalog:*", "repository:team/app:pull"],
  ];
  for (const [told, asked] of cases) {
    let scope: string | null = null;
    const registry: Handler = (request) => {
      const { pathname, host, searchParams } = new URL(request.url);
      if (pathname === "/token") {
        scope = searchParams.get("scope");
        return Response.json({ token: "t" });
      }
      const bearer = `Bearer realm="http://${host}/token",scope="${told}"`;
      return request.headers.has("authorization")
        ? found(request)
        : new Response(null, { status: 401, headers: { "www-authenticate": bearer } });
    };
    await withServers([registry], async ({ head }) => {
      assert.deepEqual(await head(), FOUND);
      assert.equal(scope, asked);
    });
  }
});
