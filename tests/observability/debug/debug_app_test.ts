import assert from "node:assert/strict";
import { createDebugApp } from "../../../lib/observability/debug/debug_app.tsx";
import type { DebugSource } from "../../../lib/observability/debug/debug_source.ts";
import { MeasureError } from "../../../lib/observability/debug/measure_target.ts";
import { PAGES } from "../../../lib/observability/debug/pages/layout.tsx";
import {
  debugSource,
  emptyMeasurement,
  hostileSource,
  overviewOf,
  peerView,
  requestEntry,
} from "../../fakes/debug_source.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";

function app(source: Partial<DebugSource> = {}) {
  const log = new MemoryLog();
  const { request } = createDebugApp({ source: debugSource(source), log });
  return {
    log,
    request,
    page: async (path: string) => await (await request(path)).text(),
    json: async (path: string) => await (await request(path)).json(),
  };
}

test("debug pages: each page has its name, and nothing of another origin", async (t) => {
  const { request } = app();
  for (const { path, name } of PAGES) {
    await t.step(name, async () => {
      const response = await request(path);
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
      assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'none'/);
      const html = await response.text();
      assert.ok(html.startsWith("<!doctype html><html"));
      assert.ok(html.includes(`<title>${name} · worker-1 · Eddy</title>`), html.slice(0, 400));
      assert.deepEqual(html.match(/(?:src|href|action)="(?!\/)[^"]*"/g), null);
      assert.ok(!/ style="/.test(html));
    });
  }
});

test("debug pages: hostile names are text, whatever page they are on", async (t) => {
  const { markup, ...source } = hostileSource();
  const { page } = app(source);
  const query = encodeURIComponent(markup);
  const paths = [
    ...PAGES.map(({ path }) => path),
    `/debug/content?q=${query}`,
    `/debug/requests?outcome=${query}&q=${query}`,
    `/debug/measure?image=${query}`,
  ];
  for (const path of paths) {
    await t.step(path.slice(0, 40), async () => {
      const html = await page(path);
      assert.ok(!html.includes("<img"), html);
      assert.equal(html.match(/<script/g)?.length, 1, "the page's own script");
      assert.ok(!html.includes('onerror="'), html);
      assert.ok(html.includes("&lt;img src=x onerror=&quot;"), "the text is shown");
    });
  }
});

test("debug pages: what is not ready is named", async () => {
  const { page } = app({
    overview: () => overviewOf({ conditions: [{ name: "the list of images", met: false }] }),
  });
  const html = await page("/debug/");
  assert.ok(html.includes("Not ready yet") && html.includes("Waiting for: the list of images"));
});

test("debug pages: registries that cannot be asked are named, with what to do", async () => {
  const registry = { registry: "docker.io", trouble: "unresolved", fix: "make its name resolve" };
  const { page } = app({
    overview: () => overviewOf({ unaskedRegistries: [{ ...registry, runtime: "reaches" }] }),
  });
  const html = await page("/debug/");
  for (const text of ["docker.io", "unresolved", "left to containerd", "make its name resolve"]) {
    assert.ok(html.includes(text), text);
  }
  const { page: without } = app({ overview: () => overviewOf() });
  assert.ok(!(await without("/debug/")).includes("Upstream registries"));
});

test("debug pages: peers in trouble come first", async () => {
  const { page } = app({
    overview: () =>
      overviewOf({
        peers: [
          peerView({ id: "idle" }),
          peerView({ id: "busy", health: "good", bytesFrom: 5_000_000 }),
          peerView({ id: "liar", health: "shunned" }),
        ],
      }),
  });
  const html = await page("/debug/");
  const order = ["liar", "busy", "idle"].map((id) => html.indexOf(`>${id}</td>`));
  assert.deepEqual(order, [...order].sort((a, b) => a - b));
  for (const text of ["5.0 MB", "shunned"]) assert.ok(html.includes(text), text);
});

test("debug pages: requests can be narrowed down by outcome and text", async () => {
  const requests = () => [
    requestEntry({ path: "/v2/library/nginx/manifests/1", peer: undefined }),
    requestEntry({ path: "/v2/a/b/manifests/2" }),
    requestEntry({
      path: "/v2/a/c/manifests/3",
      status: 404,
      peer: undefined,
      reason: "no-peer",
    }),
    requestEntry({ path: "/v2/a/d/manifests/4", fromPeer: true, client: "10.9.9.9" }),
    requestEntry({ path: "/v2/a/e/manifests/5", error: "connection reset" }),
    requestEntry({ path: "/v2/a/f/manifests/6", fromPeer: true, status: 404, peer: undefined }),
  ];
  const { json, page } = app({ requests });
  const outcomes = async (query: string) =>
    (await json(`/debug/api/requests${query}`)).map(({ outcome }: { outcome: string }) => outcome);
  assert.deepEqual(await outcomes(""), ["local", "peer", "miss", "served", "broken", "refused"]);
  assert.deepEqual(await outcomes("?outcome=miss"), ["miss"]);
  assert.deepEqual(await outcomes("?q=10.9.9.9"), ["served"]);
  assert.deepEqual(await outcomes("?q=no-peer"), ["miss"]);
  assert.deepEqual(await outcomes("?outcome=peer&q=nginx"), []);
  const html = await page("/debug/requests?outcome=miss");
  assert.ok(html.includes("docker.io/a/c:3") && !html.includes("docker.io/a/b:2"));
});

test("debug pages: content can be searched by image, tag and digest", async () => {
  const nginx = { image: "docker.io/library/nginx:1", tags: ["t1"], digests: ["sha256:aa"] };
  const redis = { image: "docker.io/library/redis:7", tags: [], digests: ["sha256:bb"] };
  const { json } = app({ advertised: () => [nginx, redis] });
  assert.deepEqual(await json("/debug/api/content"), [nginx, redis]);
  for (const query of ["NGINX", "t1", "sha256:aa"]) {
    assert.deepEqual(await json(`/debug/api/content?q=${query}`), [nginx], query);
  }
});

test("debug pages: each page exists as JSON", async () => {
  const { json } = app();
  const paths: string[] = await json("/debug/api");
  assert.equal(paths.length, PAGES.length);
  for (const path of paths) assert.ok(await json(path), path);
});

test("debug pages: measuring", async (t) => {
  const { request, json } = app({
    measure(reference) {
      if (reference === "busy") throw new MeasureError("another is under way", 429);
      return Promise.resolve(emptyMeasurement(reference));
    },
  });
  await t.step("the parameter is handed on", async () => {
    assert.equal((await json("/debug/api/measure?image=nginx")).reference, "nginx");
  });
  await t.step("an error is an answer", async () => {
    const response = await request("/debug/measure?image=busy");
    assert.equal(response.status, 429);
    assert.ok((await response.text()).includes("another is under way"));
  });
  await t.step("another site cannot cause traffic", async () => {
    const headers = { "sec-fetch-site": "cross-site" };
    const response = await request("/debug/measure?image=nginx", { headers });
    assert.equal(response.status, 403);
    await response.body?.cancel();
  });
});

test("debug pages: Spegel's paths lead on, others are 404, failures are 500 and logged", async () => {
  const { request, json, log } = app({ settings: () => JSON.parse("?") });
  for (const path of ["/", "/debug", "/debug/web", "/debug/web/"]) {
    assert.equal((await request(path)).headers.get("location"), "/debug/", path);
  }
  assert.deepEqual(await json("/debug/web/metadata"), { libp2p: { id: overviewOf().id } });
  assert.equal((await request("/debug/nothing")).status, 404);
  assert.equal((await request("/debug/", { method: "POST" })).status, 404);
  assert.equal((await request("/debug/config")).status, 500);
  assert.equal(log.lines.filter(({ level }) => level === "warn").length, 1);
});

test("debug pages: a rollout is shown as a tree, from upstream down", async () => {
  const member = (id: string, parent: string | undefined, failed = false) => ({
    ...{ id, parent, failed },
  });
  // Out of order, one that is lost, and two in a circle, which a lying peer could bring about.
  const members = [
    member("third", "second"),
    member("first", undefined),
    member("second", "first", true),
    member("lost", "nobody"),
    member("round", "about"),
    member("about", "round"),
  ];
  const key = `sha256:${"ab".repeat(32)}`;
  const { page } = app({ overview: () => overviewOf({ rollouts: [{ key, members }] }) });
  const html = await page("/debug/");
  assert.ok(html.includes(key));
  const order = ["first", "second", "third"].map((id) => html.indexOf(`title="${id}"`));
  assert.ok(order.every((at) => at > 0), html);
  assert.deepEqual(order, [...order].sort((a, b) => a - b));
  assert.ok(html.includes(">failed<") && html.includes("and 3 more"));
  const { page: without } = app({ overview: () => overviewOf() });
  assert.ok(!(await without("/debug/")).includes("Rollouts"));
});
