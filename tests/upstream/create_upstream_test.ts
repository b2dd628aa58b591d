import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import type { Credentials } from "../../lib/oci/credentials.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import {
  createUpstream,
  type HttpUpstream,
  type UpstreamOptions,
} from "../../lib/upstream/create_upstream.ts";
import { defaultEndpoint, type UpstreamEndpoint } from "../../lib/upstream/endpoint.ts";
import { UnresolvedNameError } from "../../lib/upstream/forbidden_host.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import {
  IDENTITY,
  MANIFEST,
  MANIFEST_DIGEST,
  TokenRegistry,
  type TokenRegistryOptions,
  USER,
} from "./token_registry.ts";

const FOUND = { type: "found", digest: MANIFEST_DIGEST };
const MISSING = { type: "missing", hidden: true };
const DENIED = { type: "denied" };
const MISCONFIGURED = { type: "unavailable", reason: "misconfigured" };
const FORBIDDEN = { type: "unavailable", reason: "forbidden" };
const REPOSITORIES = { open: ["open"], closed: ["closed"] };
const WRONG = { username: "user", password: "wrong" };

/** Where a registry is whose name the configuration has. */
function named(host: string): UpstreamEndpoint {
  return { ...defaultEndpoint(host), named: true };
}

interface Rig {
  readonly upstream: HttpUpstream;
  readonly registry: TokenRegistry;
  readonly log: MemoryLog;
  head(
    repository: string,
    options?: {
      kind?: "manifest" | "blob";
      tag?: string;
      digest?: Digest;
      credentials?: Credentials;
      signal?: AbortSignal;
    },
  ): Promise<unknown>;
}

async function withRig(
  options: TokenRegistryOptions,
  run: (rig: Rig) => Promise<void>,
  settings: UpstreamOptions & { endpoint?: (host: string) => UpstreamEndpoint } = {},
): Promise<void> {
  await using registry = new TokenRegistry(options);
  const log = new MemoryLog();
  const { endpoint, ...rest } = settings;
  const upstream = createUpstream({
    clock: systemClock,
    log,
    endpoints: () => Promise.resolve([(endpoint ?? named)(registry.host)]),
  }, rest);
  try {
    await run({
      registry,
      log,
      upstream,
      head: (repository, options = {}) => {
        const { kind = "manifest", tag = "v1", digest, credentials } = options;
        const { signal = AbortSignal.timeout(10_000) } = options;
        const place = { registry: registry.host, repository };
        const reference = digest === undefined ? { ...place, tag } : { ...place, digest };
        const asked = credentials === undefined ? { signal } : { signal, credentials };
        return upstream.head({ kind, reference }, asked);
      },
    });
  } finally {
    upstream.close();
  }
}

for (const scheme of ["bearer", "basic"] as const) {
  test(`who may see what, ${scheme}`, async () => {
    await withRig({ ...REPOSITORIES, scheme }, async ({ head }) => {
      assert.deepEqual(await head("open"), FOUND);
      const absent = await head("open", { tag: "absent" });
      assert.deepEqual(absent, { type: "missing", hidden: scheme === "bearer" });
      assert.deepEqual(await head("closed"), DENIED);
      assert.deepEqual(await head("closed", { credentials: WRONG }), DENIED);
      assert.deepEqual(await head("closed", { credentials: USER }), FOUND);
      assert.deepEqual(await head("closed"), DENIED, "rights of one are not those of another");
      assert.deepEqual(await head("closed", { credentials: USER, tag: "absent" }), MISSING);
    });
  });
}

test("tokens are kept, and asked for again when the registry does not take them", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    await head("open");
    assert.deepEqual(registry.requests.splice(0), [
      "HEAD /v2/open/manifests/v1",
      "token",
      "HEAD /v2/open/manifests/v1",
    ]);
    await head("open", { tag: "v2" });
    assert.deepEqual(registry.requests.splice(0), ["HEAD /v2/open/manifests/v2"]);
    registry.revoke();
    assert.deepEqual(await head("open", { tag: "v3" }), FOUND);
    assert.equal(registry.requests.filter((request) => request === "token").length, 1);
  });
});

test("tokens that are about to expire are not kept", async () => {
  await withRig({ ...REPOSITORIES, expiresIn: 5 }, async ({ head, registry }) => {
    await head("open");
    await head("open", { tag: "v2" });
    assert.equal(registry.requests.filter((request) => request === "token").length, 2);
  });
});

test("one question for all who have it at the same time", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => head("open")));
    for (const answer of answers) assert.deepEqual(answer, FOUND);
    assert.equal(registry.requests.length, 3);
  });
});

test("a registry that leaves out the digest is asked for the manifest", async () => {
  await withRig({ ...REPOSITORIES, digestHeader: false }, async ({ head, registry }) => {
    assert.deepEqual(await head("open"), FOUND);
    assert.equal(registry.requests.at(-1), "GET /v2/open/manifests/v1");
  });
});

test("a realm on this machine is not followed unless it is the registry itself", async () => {
  await using bait = new TokenRegistry(REPOSITORIES);
  const realms = [
    `http://${bait.host}/token`,
    `http://localhost:${bait.host.split(":")[1]}/token`,
    "http://169.254.169.254/latest/meta-data/",
    "http://user:password@192.0.2.1/token",
    "file:///etc/passwd",
    "nonsense",
  ];
  for (const realm of realms) {
    await withRig({ ...REPOSITORIES, realm }, async ({ head, log }) => {
      const answer = await head("closed", { credentials: USER });
      const isUrl = realm.startsWith("http:");
      assert.deepEqual(answer, isUrl ? FORBIDDEN : MISCONFIGURED, realm);
      assert.doesNotMatch(JSON.stringify(log.lines), /secret|password@/);
    });
  }
  assert.deepEqual(bait.requests, []);
});

test("a redirect to this machine is not followed, one within the registry is", async () => {
  await using bait = new TokenRegistry(REPOSITORIES);
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    const redirect = (location: string) => () =>
      new Response(null, { status: 307, headers: { location } });
    registry.fault = redirect(`http://${bait.host}/v2/open/manifests/v1`);
    assert.deepEqual(await head("open"), FORBIDDEN);
    assert.deepEqual(bait.requests, []);
    registry.fault = (request) => {
      registry.fault = undefined;
      return redirect(new URL("/v2/open/manifests/v9", request.url).href)();
    };
    assert.deepEqual(await head("open"), FOUND);
    registry.fault = redirect("/v2/open/manifests/v1");
    assert.deepEqual(await head("open", { tag: "loop" }), MISCONFIGURED);
  }, { circuit: { threshold: 100 } });
});

test("failures are told apart, and end the waiting after two in a row", async () => {
  const cases: readonly [string, () => Response | Promise<Response>][] = [
    ["broken", () => new Response(null, { status: 503 })],
    [
      "timeout",
      () => new Promise((resolve) => setTimeout(resolve, 300)).then(() => new Response()),
    ],
  ];
  for (const [reason, fault] of cases) {
    await withRig(REPOSITORIES, async ({ head, registry }) => {
      registry.fault = fault;
      const answers = [];
      for (const tag of ["a", "b", "c", "d"]) answers.push(await head("open", { tag }));
      assert.deepEqual(answers, [
        { type: "unavailable", reason },
        { type: "unavailable", reason },
        { type: "unavailable", reason: "circuit-open", because: reason },
        { type: "unavailable", reason: "circuit-open", because: reason },
      ]);
      assert.equal(registry.requests.length, 2);
    }, { budgetMs: 100 });
  }
});

test("a name that does not resolve is told apart from a registry that is away", async () => {
  const sender = {
    send: () => Promise.reject(new UnresolvedNameError("gone.example does not resolve")),
    [Symbol.dispose]() {},
  };
  const upstream = createUpstream({ clock: systemClock, log: new MemoryLog(), sender });
  const reference = { registry: "gone.example", repository: "app", tag: "v1" };
  const answer = await upstream.head({ kind: "manifest", reference }, new AbortController());
  assert.deepEqual(answer, { type: "unavailable", reason: "unresolved" });
  upstream.close();
});

test("a registry that will not have a question is not away", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    for (const status of [400, 405, 414, 418]) {
      registry.fault = () => new Response(null, { status });
      assert.deepEqual(await head("open", { tag: `odd${status}` }), MISCONFIGURED);
    }
    registry.fault = undefined;
    assert.deepEqual(await head("open"), FOUND);
  }, { circuit: { threshold: 1 } });
});

test("whoever need not wait is not followed", async () => {
  await withRig(REPOSITORIES, async ({ head, registry, upstream }) => {
    registry.fault = () => new Response(null, { status: 503 });
    await head("open");
    const { host } = registry;
    const path = {
      kind: "manifest",
      reference: { registry: host, repository: "open", tag: "v1" },
    } as const;
    const settings = {
      get signal(): AbortSignal {
        throw new Error("its signal was looked at");
      },
    };
    assert.deepEqual(await upstream.head(path, settings), {
      type: "unavailable",
      reason: "circuit-open",
      because: "broken",
    });
  }, { circuit: { threshold: 1 } });
});

test("429 is obeyed at once", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    registry.fault = () => new Response(null, { status: 429, headers: { "retry-after": "60" } });
    assert.deepEqual(await head("open"), { type: "unavailable", reason: "limited" });
    registry.fault = undefined;
    assert.deepEqual(await head("open"), {
      type: "unavailable",
      reason: "circuit-open",
      because: "limited",
    });
    assert.equal(registry.requests.length, 1);
  });
});

test("a token server that lies or overdoes it costs no more than an answer", async () => {
  const faults: Record<string, () => Response> = {
    "no JSON": () => new Response("<html>"),
    "no token": () => Response.json({}),
    "header injection": () => Response.json({ token: "a\r\nx: y" }),
    "endless": () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(32)),
        }),
      ),
  };
  for (const [name, fault] of Object.entries(faults)) {
    await withRig(REPOSITORIES, async ({ head, registry }) => {
      let first = true;
      registry.fault = (request) => {
        if (new URL(request.url).pathname === "/token") return fault();
        assert.ok(first, name);
        first = false;
        return new Response(null, {
          status: 401,
          headers: { "www-authenticate": `Bearer realm="http://${registry.host}/token"` },
        });
      };
      assert.deepEqual(await head("open"), MISCONFIGURED, name);
    });
  }
});

const CONFIGURED: Credentials = { username: "", password: "", configured: "as they are" };
const HEADERS = {
  "X-Api-Key": "key",
  "Cookie": "session",
  "Authorization": `Basic ${btoa("user:secret")}`,
};

/** A registry that its user has to show headers. */
const withHeaders = (host: string): UpstreamEndpoint => ({ ...named(host), headers: HEADERS });

test("configured headers are shown by who has credentials, configured rights by who has none", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    const seen: string[][] = [];
    registry.fault = ({ headers }) => {
      seen.push(Object.keys(HEADERS).map((name) => headers.get(name) ?? "-"));
      return new Response(null, { status: 404 });
    };
    await head("closed", { tag: "anybody" });
    await head("closed", { tag: "user", credentials: USER });
    await head("closed", { tag: "node", credentials: CONFIGURED });
    assert.deepEqual(seen, [["-", "-", "-"], ["key", "session", "-"], Object.values(HEADERS)]);
  }, { endpoint: withHeaders });
});

test("where headers open the door, anybody is told nothing", async () => {
  const page = { headers: { "content-type": "text/html; charset=utf-8" } };
  const digest = MANIFEST_DIGEST as Digest;
  const closed: Record<string, () => Response> = {
    "401": () => new Response(null, { status: 401 }),
    "403": () => new Response(null, { status: 403 }),
    "hidden": () => new Response(null, { status: 404 }),
    "a page": () => new Response("<html>", page),
    "a page elsewhere": () => new Response(null, { status: 302, headers: { location: "/login" } }),
  };
  for (const [name, answer] of Object.entries(closed)) {
    await withRig(REPOSITORIES, async ({ head, registry }) => {
      registry.fault = ({ url, method, headers }) =>
        headers.get("x-api-key") === "key"
          ? new Response(method === "HEAD" ? null : MANIFEST, {
            headers: { "docker-content-digest": MANIFEST_DIGEST },
          })
          : new URL(url).pathname === "/login"
          ? new Response("<html>", page)
          : answer();
      for (const options of [{}, { digest }, { digest, kind: "blob" as const }]) {
        const answer = await head("app", options);
        assert.deepEqual(answer, /^\d/.test(name) ? DENIED : MISSING, name);
        assert.deepEqual(await head("app", { ...options, credentials: CONFIGURED }), FOUND, name);
      }
    }, { endpoint: withHeaders });
  }
});

test("the registry's own token server is shown configured headers, and a token goes before a configured right", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    const seen: string[] = [];
    const serve = registry.serve.bind(registry);
    registry.fault = (request) => {
      const names = [...request.headers.keys()].filter((name) => /key|cookie/.test(name));
      const [scheme] = request.headers.get("authorization")?.split(" ") ?? ["-"];
      seen.push(`${new URL(request.url).pathname} ${names} ${scheme}`);
      return serve(request);
    };
    assert.deepEqual(await head("open", { credentials: CONFIGURED }), FOUND);
    assert.deepEqual(seen, [
      "/v2/open/manifests/v1 cookie,x-api-key Basic",
      "/token cookie,x-api-key Basic",
      "/v2/open/manifests/v1 cookie,x-api-key Bearer",
    ]);
  }, { endpoint: withHeaders });
});

test("what is not what was asked for is no answer, whatever its status", async () => {
  const digest = `sha256:${"0".repeat(64)}` as Digest;
  const cases: [string, Parameters<Rig["head"]>[1], BodyInit, string][] = [
    ["a page for a tag", {}, "<html>", "text/html"],
    ["no manifest for a tag", {}, "{}", "application/json"],
    ["another manifest for a digest", { digest }, MANIFEST, "application/json"],
    ["a page for a blob", { digest, kind: "blob" }, "<html>", "text/html"],
    ["an error for a blob", { digest, kind: "blob" }, "{}", "application/json"],
  ];
  for (const [name, options, body, type] of cases) {
    await withRig(REPOSITORIES, async ({ head, registry }) => {
      registry.fault = ({ method }) =>
        new Response(method === "HEAD" ? null : body, { headers: { "content-type": type } });
      const answer = await head("open", options);
      assert.deepEqual(answer, MISCONFIGURED, name);
    });
  }
});

test("a blob may be elsewhere; to be sent to something else is no blob", async () => {
  const digest = MANIFEST_DIGEST as Digest;
  const large = "x".repeat(1024 * 1024 + 1);
  const cases: [string, BodyInit, string, unknown][] = [
    ["the blob", MANIFEST, "application/octet-stream", FOUND],
    ["what is too large for a page", large, "application/octet-stream", FOUND],
    ["a page", "<html>", "text/html", MISCONFIGURED],
    ["an error", "{}", "application/json", MISCONFIGURED],
  ];
  for (const [name, body, type, expected] of cases) {
    await withRig(REPOSITORIES, async ({ head, registry }) => {
      // Such URLs are often good for GET alone.
      registry.fault = ({ method, url }) =>
        new URL(url).pathname !== "/elsewhere"
          ? new Response(null, { status: 307, headers: { location: "/elsewhere" } })
          : method === "GET"
          ? new Response(body, { headers: { "content-type": type } })
          : new Response(null, { status: 403 });
      for (const credentials of [undefined, USER]) {
        const asked = { digest, kind: "blob" as const, ...(credentials && { credentials }) };
        assert.deepEqual(await head("open", asked), expected, name);
      }
    });
  }
});

test("a mirror is told of which registry it is asked, the registry itself is not", async () => {
  const queries: string[] = [];
  const elsewhere = (host: string) => ({ ...named(host), url: `http://${host}/cache/v2` });
  for (const [endpoint, name] of [[named, "registry"], [elsewhere, "docker.io"]] as const) {
    await withRig(REPOSITORIES, async ({ upstream, registry }) => {
      registry.fault = ({ url }) => {
        queries.push(new URL(url).search);
        return new Response(null, { status: 404 });
      };
      const asked = name === "registry" ? registry.host : name;
      const path = {
        kind: "manifest",
        reference: { registry: asked, repository: "library/nginx", tag: "1" },
      } as const;
      await upstream.head(path, { signal: AbortSignal.timeout(10_000) });
    }, { endpoint });
  }
  assert.deepEqual(queries, ["", "?ns=docker.io"]);
});

test("what only the node's own configuration may name is not asked, and said once", async () => {
  await withRig(REPOSITORIES, async ({ head, registry, log }) => {
    for (const tag of ["a", "b"]) {
      assert.deepEqual(await head("open", { tag }), FORBIDDEN);
    }
    assert.deepEqual(registry.requests, []);
    const warnings = log.lines.filter(({ level }) => level === "warn");
    assert.equal(warnings.length, 1);
    assert.equal(warnings[0]?.fields["registry"], registry.host);
    assert.match(String(warnings[0]?.fields["fix"]), /hosts\.toml.*--mirrored-registries/);
  }, { endpoint: defaultEndpoint, circuit: { threshold: 100 } });
});

test("who goes away ends the question, without a mark against the registry", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Response>();
    registry.fault = () => {
      asked.resolve();
      return answer.promise;
    };
    const client = new AbortController();
    const waiting = head("open", { signal: client.signal });
    await asked.promise;
    client.abort(new Error("gone"));
    await assert.rejects(waiting, /gone/);
    answer.resolve(new Response(null, { status: 404 }));
    registry.fault = undefined;
    assert.deepEqual(await head("open"), FOUND);
  }, { circuit: { threshold: 1 } });
});

test("an identity token is exchanged by OAuth 2, and shown to nobody but the token server", async () => {
  await withRig(REPOSITORIES, async ({ registry, head }) => {
    assert.deepEqual(await head("closed", { credentials: IDENTITY }), FOUND);
    assert.deepEqual(await head("closed", { credentials: IDENTITY, tag: "v2" }), FOUND);
    assert.equal(registry.requests.filter((request) => request === "token").length, 1);
    const wrong = { ...IDENTITY, identityToken: "stolen" };
    assert.deepEqual(await head("closed", { credentials: wrong }), DENIED);
  });
  await withRig({ ...REPOSITORIES, scheme: "basic" }, async ({ registry, head }) => {
    assert.deepEqual(await head("closed", { credentials: IDENTITY }), DENIED);
    assert.equal(registry.requests.length, 1);
  });
});

test("a token server that passes a refresh token on is not followed", async () => {
  await using elsewhere = new TokenRegistry(REPOSITORIES);
  await withRig(REPOSITORIES, async ({ registry, head }) => {
    registry.fault = (request) =>
      new URL(request.url).pathname === "/token"
        ? new Response(null, {
          status: 307,
          headers: { location: `http://${elsewhere.host}/token` },
        })
        : new Response(null, {
          status: 401,
          headers: { "www-authenticate": `Bearer realm="http://${registry.host}/token"` },
        });
    const { type } = await head("closed", { credentials: IDENTITY }) as { type: string };
    assert.equal(type, "unavailable");
    assert.deepEqual(elsewhere.requests, []);
  });
});
