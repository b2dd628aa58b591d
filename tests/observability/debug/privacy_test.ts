import assert from "node:assert/strict";
import { createLocalClients } from "../../../lib/access/local_clients.ts";
import { createDebugApp } from "../../../lib/observability/debug/debug_app.tsx";
import { createMetricsApp } from "../../../lib/observability/metrics_app.ts";
import { PAGES } from "../../../lib/observability/debug/pages/layout.tsx";
import { basicAuthorization } from "../../../lib/oci/basic_auth.ts";
import { debugSource, overviewOf, requestEntry } from "../../fakes/debug_source.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const [SHARED, SECRET, PLAIN, LOOSE] = ["a", "b", "c", "d"].map(digest) as [
  string,
  string,
  string,
  string,
];
const KEY = basicAuthorization("eddy", "password");
/** Nothing of these may be told to strangers. */
const NAMES = ["ghcr.io", "acme", "vault", "concealed", "bbbbbbbbbbbb", "dddddddddddd"];

const source = debugSource({
  overview: () =>
    overviewOf({
      rollouts: [PLAIN, SECRET, LOOSE].map((key) => ({ key, members: [] })),
      unaskedRegistries: [{ registry: "ghcr.io", trouble: "timeout", runtime: "fails", fix: "" }],
    }),
  advertised: () => [
    { image: "docker.io/library/nginx:1", tags: ["t"], digests: [PLAIN, SHARED] },
    { image: "ghcr.io/acme/vault:2", tags: ["ghcr.io/acme/vault:2"], digests: [SECRET, SHARED] },
    { image: `concealed@${SECRET}`, tags: [], digests: [SECRET] },
    { image: undefined, tags: [], digests: [LOOSE] },
  ],
  requests: () => [
    requestEntry({ path: `/v2/library/nginx/blobs/${PLAIN}` }),
    requestEntry({ path: `/v2/acme/vault/blobs/${SECRET}`, registry: "ghcr.io" }),
    requestEntry({ path: `/v2/acme%2fvault/manifests/2`, registry: "ghcr.io" }),
    requestEntry({ path: "/v2/acme/vault/tags/list", registry: undefined, status: 404 }),
    requestEntry({ path: "/v2/%ff/acme", registry: undefined, status: 400 }),
    requestEntry({ path: "/v2/acme/vault/manifests/2", registry: "ghcr.io", error: SECRET }),
  ],
  settings: () => [
    { flag: "private-images", value: "ghcr.io/acme/*", isDefault: false, help: "" },
    { flag: "registry-filters", value: "acme", isDefault: false, help: "" },
    { flag: "registry-addr", value: ":5999", isDefault: false, help: "" },
  ],
  checks: () =>
    Promise.resolve([{ name: "images", state: "failed", detail: "ghcr.io/acme/vault", fix: "x" }]),
});

const { fetch } = createMetricsApp({
  text: () => Promise.resolve("eddy_peers 1\n"),
  contentType: "text/plain",
  ready: () => true,
  others: createDebugApp({
    source,
    log: new MemoryLog(),
    privacy: {
      isPublic: (repository) => repository === "docker.io/library/nginx",
      isLocalClient: createLocalClients(["10.42.0.0/24"], () => [{ address: "10.0.0.1" }]),
      authorizations: () => [KEY],
    },
  }),
});

interface Asking {
  readonly from?: string;
  readonly host?: string;
  readonly headers?: Record<string, string>;
}

async function ask(path: string, { from = "10.9.9.9", host = "10.0.0.1:9090", headers }: Asking) {
  const request = new Request(`http://${host}${path}`, { headers: headers ?? {} });
  const remoteAddr = { transport: "tcp", hostname: from, port: 1 } as const;
  const response = await fetch(request, { remoteAddr });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const API = PAGES.map(({ path }) => `/debug/api/${path.slice(7) || "overview"}`);
const PATHS = [
  ...PAGES.map(({ path }) => path),
  ...API,
  ...["vault", "acme", SECRET, LOOSE, "ghcr"].flatMap((text) =>
    ["content", "requests"].flatMap((page) => [`/debug/${page}?q=`, `/debug/api/${page}?q=`])
      .map((path) => path + text)
  ),
  "/metrics",
  "/debug/web/metadata",
];

const STRANGERS: readonly (Asking & { readonly who: string })[] = [
  { who: "a pod" },
  { who: "a pod, over IPv6", from: "fd00::9" },
  { who: "a pod with wrong credentials", headers: { authorization: basicAuthorization("a", "b") } },
  { who: "a proxy on the node", from: "127.0.0.1", headers: { "x-forwarded-for": "10.9.9.9" } },
  { who: "a browser on the node, for another site", from: "127.0.0.1", host: "evil.example:9090" },
  { who: "somebody without an address", from: "" },
];

const INSIDERS: readonly (Asking & { readonly who: string })[] = [
  { who: "loopback", from: "127.0.0.1", host: "localhost:9090" },
  { who: "loopback, on a socket for both families", from: "::ffff:127.0.0.1" },
  { who: "IPv6 loopback", from: "::1", host: "[::1]:9090" },
  { who: "the node's own address", from: "10.0.0.1" },
  { who: "a local client by option", from: "10.42.0.7" },
  { who: "whoever has the mirror's credentials", headers: { authorization: KEY } },
];

for (const { who, ...asking } of STRANGERS) {
  test(`debug pages: ${who} is shown no private name or digest`, async () => {
    for (const path of PATHS) {
      const { status, text } = await ask(path, asking);
      assert.equal(status, 200, path);
      // What it asked for itself is repeated.
      const said = text.replaceAll(/value="[^"]*"/g, "");
      for (const name of NAMES) assert.ok(!said.includes(name), `${path} names ${name}`);
    }
    const content = JSON.parse((await ask("/debug/api/content", asking)).text);
    assert.deepEqual(content.map(({ image }: { image: string }) => image), [
      "docker.io/library/nginx:1",
      ...Array(3).fill("a private image"),
    ]);
    assert.deepEqual(content.flatMap(({ digests }: { digests: string[] }) => digests), [
      PLAIN,
      SHARED,
    ]);
    for (const path of ["/debug/measure", "/debug/api/measure"]) {
      assert.equal((await ask(`${path}?image=nginx`, asking)).status, 403);
    }
    assert.match((await ask("/debug/", asking)).text, /are left out .* href="\/debug\/sign-in"/s);
    const { status, headers } = await ask("/debug/sign-in", asking);
    assert.equal(status, 401);
    assert.match(headers.get("www-authenticate") ?? "", /^Basic /);
  });
}

for (const { who, ...asking } of INSIDERS) {
  test(`debug pages: ${who} is shown everything`, async () => {
    for (const [path, name] of [["content", "vault"], ["requests", "vault"], ["config", "acme"]]) {
      for (const base of ["/debug/", "/debug/api/"]) {
        assert.ok((await ask(base + path, asking)).text.includes(name as string), path);
      }
    }
    assert.ok((await ask("/debug/api/content", asking)).text.includes(LOOSE));
    assert.ok((await ask("/debug/api/overview", asking)).text.includes(SECRET));
    assert.equal((await ask("/debug/api/measure?image=nginx", asking)).status, 200);
    assert.ok(!(await ask("/debug/", asking)).text.includes("left out"));
    assert.equal((await ask("/debug/sign-in", asking)).headers.get("location"), "/debug/");
  });
}

test("debug pages: metrics and readiness are everybody's", async () => {
  for (const { who, ...asking } of [...STRANGERS, ...INSIDERS]) {
    assert.equal((await ask("/metrics", asking)).text, "eddy_peers 1\n", who);
    assert.equal((await ask("/readyz", asking)).status, 200, who);
    assert.equal((await ask("/livez", asking)).status, 200, who);
  }
});
