import assert from "node:assert/strict";
import type { Page } from "puppeteer-core";
import { startHttpServer } from "../../lib/agent/http_server.ts";
import { createDebugApp } from "../../lib/observability/debug/debug_app.tsx";
import type { DebugSource } from "../../lib/observability/debug/debug_source.ts";
import { PAGES } from "../../lib/observability/debug/pages/layout.tsx";
import { debugSource, hostileSource } from "../fakes/debug_source.ts";
import { MemoryLog } from "../fakes/log.ts";
import { browserTest, screenshot, type WatchedPage, watchedPage } from "./chromium.ts";
import { LiveCluster } from "../support/live_cluster.ts";

const IMAGE = "registry.example/shop/api:2.1";
const HOSTILE = `/v2/a/<img src=x onerror="globalThis.pwned=1">/manifests/1`;

/** Fills a cluster of two with images, pulls through the second node, and misses too. */
async function busyCluster(): Promise<LiveCluster> {
  const cluster = await LiveCluster.start(2, ["--registry-filters", "forbidden"]);
  await cluster.addImage(0, IMAGE, [3e6, 9e6, 1e6, 24e6, 400_000]);
  await cluster.addImage(0, "docker.io/library/postgres:17", [12e6, 5e6]);
  await cluster.addImage(1, "docker.io/library/redis:7.4", [4e6, 2e6]);
  await cluster.addImage(1, "quay.io/prometheus/node-exporter:v1.9", [6e6]);
  const measured = await cluster.measured(1, IMAGE);
  const [, second] = cluster.nodes;
  const ask = async (path: string) =>
    await (await fetch(`${second?.agent.url}${path}`)).arrayBuffer();
  for (const { kind, digest } of measured.pieces) {
    const what = kind === "manifest" ? "manifests" : "blobs";
    await ask(`/v2/shop/api/${what}/${digest}?ns=registry.example`);
  }
  await ask("/v2/library/redis/manifests/7.4?ns=docker.io");
  await ask("/v2/library/traefik/manifests/3.2?ns=docker.io");
  await ask("/v2/forbidden/tool/manifests/1?ns=docker.io");
  await ask(encodeURI(HOSTILE));
  const [first] = cluster.nodes;
  await (await fetch(`${first?.agent.url}/v2/library/redis/manifests/7.4?ns=docker.io`)).text();
  return cluster;
}

async function text(page: Page, selector: string): Promise<string> {
  return await page.$eval(selector, (element) => element.textContent ?? "");
}

/** Clicks something that leads to another page and waits for that. */
async function follow(page: Page, selector: string): Promise<void> {
  await Promise.all([page.waitForNavigation(), page.click(selector)]);
}

function assertClean({ problems }: WatchedPage): void {
  assert.deepEqual(problems, []);
}

/** Looks at each page in the dark, wide and as narrow as a phone. */
async function showNarrow(browser: Parameters<typeof watchedPage>[0], base: string) {
  for (const [name, width] of [["dark", 1280], ["phone", 390]] as const) {
    const watched = await watchedPage(browser, { width, dark: name === "dark" });
    for (const { path } of PAGES) {
      const query = path === "/debug/measure" ? `?image=${IMAGE}` : "";
      await watched.page.goto(`${base}${path}${query}`);
      const [wanted, there] = await watched.page.$eval(
        "html",
        ({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth],
      );
      assert.ok(Number(wanted) <= Number(there), `${path} is ${wanted} wide on ${there}`);
      await screenshot(watched.page, `${name}-${path.split("/").at(-1) || "overview"}`);
    }
    assertClean(watched);
    await watched.page.close();
  }
}

/** Serves pages of a source on loopback. */
function serve(source: DebugSource) {
  const log = new MemoryLog();
  const { fetch } = createDebugApp({ source, log });
  const server = startHttpServer({ fetch, log }, { host: "127.0.0.1", port: 0 });
  return {
    url: `http://${server.address}`,
    [Symbol.asyncDispose]: () => server.shutdown(0),
  };
}

await browserTest("hostile names are text on every page", async (browser) => {
  const { markup, ...source } = hostileSource();
  await using server = serve(source);
  const watched = await watchedPage(browser);
  for (const { path } of PAGES) {
    await watched.page.goto(`${server.url}${path}?image=${encodeURIComponent(markup)}`);
    assert.ok((await text(watched.page, "body")).includes(markup), path);
    assert.equal(await watched.page.evaluate(() => "pwned" in globalThis), false, path);
    assert.equal(await watched.page.$("img"), null, path);
  }
  assertClean(watched);
});

await browserTest("a node in trouble says so", async (browser) => {
  await using server = serve(debugSource({
    checks: () =>
      Promise.resolve([
        { name: "containerd", state: "ok", detail: "answers", fix: "" },
        {
          name: "config_path",
          state: "failed",
          detail: "containerd reads registry hosts from no directory",
          fix: 'set config_path = "/etc/containerd/certs.d" and restart containerd',
        },
      ]),
  }));
  const watched = await watchedPage(browser);
  await watched.page.goto(`${server.url}/debug/checks`);
  assert.equal(await text(watched.page, ".hero h1"), "1 of 2 checks failed");
  assert.match(await text(watched.page, ".checks .fix"), /config_path = /);
  await screenshot(watched.page, "checks-failed");
  assertClean(watched);
});

await browserTest("all pages of a live node, by clicks", async (browser, t) => {
  await using cluster = await busyCluster();
  const base = cluster.nodes[1]?.agent.metricsUrl;
  const watched = await watchedPage(browser);
  const { page } = watched;

  await t.step("the overview shows the peer and the bytes", async () => {
    await page.goto(`${base}/`);
    assert.equal(await text(page, ".hero h1"), "Ready");
    assert.equal(await page.$$eval("main tbody tr", (rows) => rows.length >= 1), true);
    assert.match(await text(page, "main"), /74\.\d MB/, "measured once and pulled once");
    await screenshot(page, "overview");
  });
  await t.step("figures are renewed without a reload", async () => {
    const before = await text(page, ".legend");
    await fetch(`${cluster.nodes[1]?.agent.url}/v2/library/redis/manifests/7.4?ns=docker.io`)
      .then((response) => response.body?.cancel());
    await page.waitForFunction(
      `document.querySelector(".legend")?.textContent !== ${JSON.stringify(before)}`,
    );
  });
  await t.step("a reason leads to its requests", async () => {
    await follow(page, ".reasons a[href*=no-peer]");
    assert.match(await text(page, "main table"), /docker\.io\/library\/traefik:3\.2/);
    assert.equal(await page.$$eval("main tbody tr", (rows) => rows.length), 1);
  });
  await t.step("requests, the hostile one as text", async () => {
    await follow(page, "nav a[href='/debug/requests']");
    const shown = await text(page, "main table");
    for (const words of ["from a peer", "own image", "miss", "filtered", "<img src=x onerror="]) {
      assert.ok(shown.includes(words), words);
    }
    await screenshot(page, "requests");
  });
  await t.step("content can be searched and leads to measuring", async () => {
    await follow(page, "nav a[href='/debug/content']");
    assert.equal(await page.$$eval(".images > li", (items) => items.length), 2);
    await page.type("input[name=q]", "REDIS");
    await follow(page, "form button");
    assert.equal(await page.$$eval(".images > li", (items) => items.length), 1);
    await page.click("summary");
    await page.waitForSelector("details[open]");
    await screenshot(page, "content");
    await follow(page, ".action");
    assert.match(await text(page, "main"), /no peer is known to hold it/);
  });
  await t.step("the form measures an image at its peer", async () => {
    await follow(page, "nav a[href='/debug/measure']");
    await page.type("input[name=image]", IMAGE);
    await follow(page, "form button");
    assert.match(await text(page, ".hero"), /Pulled from peers in .*: 37\.4 MB/);
    const rows = await page.$$eval("main tbody tr", (all) => all.map((row) => row.textContent));
    assert.equal(rows.length, 1 + 7, "a peer, a manifest, a configuration, five layers");
    assert.equal(await page.$$eval("svg.meter .fill", (bars) => bars.length), 8);
    await screenshot(page, "measure");
  });
  await t.step("what cannot be measured is said", async () => {
    await page.goto(`${base}/debug/measure`);
    await page.type("input[name=image]", "<script>globalThis.pwned=1</script>");
    await follow(page, "form button");
    assert.match(await text(page, "[role=alert]"), /got "<script>.*want an image/);
    assert.equal(watched.problems.length, 1, "the answer 400 is on the console");
    assert.match(watched.problems.pop() ?? "", /400/);
  });
  for (const name of ["checks", "config"]) {
    await t.step(name, async () => {
      await follow(page, `nav a[href='/debug/${name}']`);
      await screenshot(page, name);
    });
  }
  await t.step("nothing was executed, nothing failed", async () => {
    assert.equal(await page.evaluate(() => "pwned" in globalThis), false);
    assertClean(watched);
  });
  await t.step("dark, and on a phone, nothing is cut off", async () => {
    await showNarrow(browser, `${base}`);
  });
});
