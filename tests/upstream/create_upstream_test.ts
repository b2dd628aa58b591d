import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import type { Credentials } from "../../lib/oci/credentials.ts";
import {
  createUpstream,
  type HttpUpstream,
  type UpstreamOptions,
} from "../../lib/upstream/create_upstream.ts";
import type { UpstreamEndpoint } from "../../lib/upstream/endpoint.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import {
  IDENTITY,
  MANIFEST_DIGEST,
  TokenRegistry,
  type TokenRegistryOptions,
  USER,
} from "./token_registry.ts";

const FOUND = { type: "found", digest: MANIFEST_DIGEST };
const MISSING = { type: "missing", hidden: true };
const DENIED = { type: "denied" };
const REPOSITORIES = { open: ["open"], closed: ["closed"] };
const WRONG = { username: "user", password: "wrong" };

interface Rig {
  readonly upstream: HttpUpstream;
  readonly registry: TokenRegistry;
  readonly log: MemoryLog;
  head(
    repository: string,
    options?: { tag?: string; credentials?: Credentials; signal?: AbortSignal },
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
    ...(endpoint === undefined
      ? {}
      : { endpoints: () => Promise.resolve([endpoint(registry.host)]) }),
  }, rest);
  try {
    await run({
      registry,
      log,
      upstream,
      head: (repository, { tag = "v1", credentials, signal = AbortSignal.timeout(10_000) } = {}) =>
        upstream.head({
          kind: "manifest",
          reference: { registry: registry.host, repository, tag },
        }, {
          signal,
          ...(credentials === undefined ? {} : { credentials }),
        }),
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
      assert.deepEqual(answer, { type: "unavailable", reason: "unreachable" }, realm);
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
    assert.deepEqual(await head("open"), { type: "unavailable", reason: "unreachable" });
    assert.deepEqual(bait.requests, []);
    registry.fault = (request) => {
      registry.fault = undefined;
      return redirect(new URL("/v2/open/manifests/v9", request.url).href)();
    };
    assert.deepEqual(await head("open"), FOUND);
    registry.fault = redirect("/v2/open/manifests/v1");
    assert.deepEqual(await head("open", { tag: "loop" }), {
      type: "unavailable",
      reason: "unreachable",
    });
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
        { type: "unavailable", reason: "circuit-open" },
        { type: "unavailable", reason: "circuit-open" },
      ]);
      assert.equal(registry.requests.length, 2);
    }, { budgetMs: 100 });
  }
});

test("a registry that will not have a question is not away", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    for (const status of [400, 405, 414, 418]) {
      registry.fault = () => new Response(null, { status });
      assert.deepEqual(await head("open", { tag: `odd${status}` }), {
        type: "unavailable",
        reason: "broken",
      });
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
    });
  }, { circuit: { threshold: 1 } });
});

test("429 is obeyed at once", async () => {
  await withRig(REPOSITORIES, async ({ head, registry }) => {
    registry.fault = () => new Response(null, { status: 429, headers: { "retry-after": "60" } });
    assert.deepEqual(await head("open"), { type: "unavailable", reason: "limited" });
    registry.fault = undefined;
    assert.deepEqual(await head("open"), { type: "unavailable", reason: "circuit-open" });
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
      assert.deepEqual(await head("open"), { type: "unavailable", reason: "unreachable" }, name);
    });
  }
});

test("configured headers are sent, but never configured rights", async () => {
  const endpoint = (host: string): UpstreamEndpoint => ({
    url: `http://${host}/v2`,
    caCertificates: [],
    headers: { "x-configured": "yes", "Authorization": `Basic ${btoa("user:secret")}` },
  });
  await withRig({ ...REPOSITORIES, scheme: "basic" }, async ({ head, registry }) => {
    assert.deepEqual(await head("closed"), DENIED);
    registry.fault = (request) =>
      new Response(null, { status: request.headers.get("x-configured") === "yes" ? 404 : 500 });
    assert.deepEqual(await head("open"), { type: "missing", hidden: false });
  }, { endpoint });
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
