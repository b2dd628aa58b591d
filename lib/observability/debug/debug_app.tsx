import { type Context, Hono } from "hono";
import type { Child } from "hono/jsx";
import { deadline } from "../../async/deadline.ts";
import type { Log } from "../../ports/log.ts";
import type { DebugSource } from "./debug_source.ts";
import { type IsPublic, maskPrivate } from "./mask_private.ts";
import type { Measurement } from "./measure.ts";
import { MeasureError } from "./measure_target.ts";
import { ContentPage, searchContent } from "./pages/content.tsx";
import { Layout, LOGO_PATH, type PagePath } from "./pages/layout.tsx";
import { MeasurePage } from "./pages/measure.tsx";
import { ChecksPage, SettingsPage } from "./pages/node.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { outcomeOf, RequestsPage, searchRequests } from "./pages/requests.tsx";
import { SCRIPT, STYLE } from "./style.ts";
import { type Insiders, isInsider } from "./insiders.ts";

export interface DebugAppCollaborators {
  readonly source: DebugSource;
  readonly log: Log;
  /** Set if there may be private images: who may see their names. */
  readonly privacy?: Insiders & { readonly isPublic: IsPublic } | undefined;
}

/** The server's facts about a connection, the second argument of `app.fetch`. */
export interface DebugBindings {
  remoteAddr?: Deno.Addr;
}

type DebugContext = Context<{ Bindings: DebugBindings }>;

interface Viewer {
  /** What may be shown. */
  readonly source: DebugSource;
  /** Names of private images are masked. */
  readonly isMasked: boolean;
}

export interface DebugAppOptions {
  /** Deadline of the node checks, ms; default 10,000. */
  checksMs?: number;
}

/** Only content of this server: an injected name could do nothing. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; " +
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
    "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};
const ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' +
  `<path d="${LOGO_PATH}" fill="none" stroke="#0b8aa8" stroke-width="3.2" ` +
  'stroke-linecap="round"/></svg>';
/** Status codes of the pages. */
type Status = 200 | 400 | 403 | 429;

/** Longest search text. */
const MAX_QUERY = 512;

/**
 * Makes the pages that show the node's state, and the same as JSON below `/debug/api`. They are
 * read-only; only measuring causes traffic, and only to peers. Private images are masked unless the
 * client is on the node or has the mirror's credentials.
 */
export function createDebugApp(
  collaborators: DebugAppCollaborators,
  options: DebugAppOptions = {},
): Hono<{ Bindings: DebugBindings }> {
  const { source, log, privacy } = collaborators;
  const app = new Hono<{ Bindings: DebugBindings }>();
  app.use("*", async (c, next) => {
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    await next();
  });
  const masked = privacy && maskPrivate(source, privacy.isPublic);
  const view = (c: DebugContext): Viewer =>
    privacy === undefined || masked === undefined ||
      isInsider(c.req.raw, c.env?.remoteAddr, privacy)
      ? { source, isMasked: false }
      : { source: masked, isMasked: true };
  const canSignIn = () => (privacy?.authorizations().length ?? 0) > 0;
  addPages(app, view, canSignIn, options);
  addApi(app, view, options);
  app.get("/debug/sign-in", (c) => {
    if (!view(c).isMasked || !canSignIn()) return c.redirect("/debug/");
    return c.text("want the credentials of the mirror\n", 401, {
      "www-authenticate": 'Basic realm="eddy"',
    });
  });
  app.get("/debug/style.css", (c) => c.body(STYLE, 200, { "content-type": "text/css" }));
  app.get("/debug/script.js", (c) => c.body(SCRIPT, 200, { "content-type": "text/javascript" }));
  app.get("/debug/icon.svg", (c) => c.body(ICON, 200, { "content-type": "image/svg+xml" }));
  app.get("/debug/web/metadata", (c) => c.json({ libp2p: { id: source.overview().id } }));
  // Spegel's paths, and the ones people try first.
  for (const path of ["/", "/debug", "/debug/web", "/debug/web/"]) {
    app.get(path, (c) => c.redirect("/debug/"));
  }
  app.notFound((c) => c.text("not found\n", 404));
  app.onError((error, c) => {
    log.warn("debug page failed", { path: c.req.path, error });
    return c.text("the page could not be rendered; see the log\n", 500);
  });
  return app;
}

type View = (c: DebugContext) => Viewer;
type DebugApp = ReturnType<typeof createDebugApp>;

function addPages(
  app: DebugApp,
  view: View,
  canSignIn: () => boolean,
  options: DebugAppOptions,
): void {
  const show = async (c: DebugContext, page: PagePath, content: Child, status: Status = 200) => {
    const { source, isMasked } = view(c);
    const { node, id, version, conditions } = source.overview();
    const ready = conditions.every(({ met }) => met);
    const masked = isMasked ? { canSignIn: canSignIn() } : undefined;
    const frame = { page, node, id, version, ready, masked };
    const document = <Layout frame={frame}>{content}</Layout>;
    return c.html(`<!doctype html>${await document.toString()}`, status);
  };
  app.get("/debug/", (c) => {
    const content = <OverviewPage overview={view(c).source.overview()} now={new Date()} />;
    return show(c, "/debug/", content);
  });
  app.get("/debug/content", (c) => {
    const content = <ContentPage content={view(c).source.advertised()} query={text(c, "q")} />;
    return show(c, "/debug/content", content);
  });
  app.get("/debug/requests", (c) => {
    const [entries, query] = [view(c).source.requests(), requestQuery(c)];
    const content = <RequestsPage entries={entries} query={query} now={new Date()} />;
    return show(c, "/debug/requests", content);
  });
  app.get("/debug/measure", async (c) => {
    const { status, ...result } = await measured(c, view(c).source);
    const content = <MeasurePage image={text(c, "image")} {...result} />;
    return await show(c, "/debug/measure", content, status);
  });
  app.get("/debug/checks", async (c) => {
    const content = <ChecksPage checks={await check(c, view(c).source, options)} />;
    return await show(c, "/debug/checks", content);
  });
  app.get("/debug/config", (c) => {
    const content = <SettingsPage settings={view(c).source.settings()} />;
    return show(c, "/debug/config", content);
  });
}

function addApi(app: DebugApp, view: View, options: DebugAppOptions): void {
  app.get("/debug/api", (c) =>
    c.json(
      ["overview", "content", "requests", "measure", "checks", "config"]
        .map((name) => `/debug/api/${name}`),
    ));
  app.get("/debug/api/overview", (c) => c.json(view(c).source.overview()));
  app.get("/debug/api/content", (c) => {
    return c.json(searchContent(view(c).source.advertised(), text(c, "q")));
  });
  app.get("/debug/api/requests", (c) =>
    c.json(
      searchRequests(view(c).source.requests(), requestQuery(c))
        .map((entry) => ({ ...entry, outcome: outcomeOf(entry) })),
    ));
  app.get("/debug/api/measure", async (c) => {
    const { status, measurement, error } = await measured(c, view(c).source);
    return c.json(measurement ?? { error: error ?? "want the parameter image" }, status);
  });
  app.get("/debug/api/checks", async (c) => c.json(await check(c, view(c).source, options)));
  app.get("/debug/api/config", (c) => c.json(view(c).source.settings()));
}

/** Measures the image in the parameter `image`, if given. */
async function measured(
  c: DebugContext,
  source: DebugSource,
): Promise<{ status: Status; measurement?: Measurement; error?: string }> {
  const image = text(c, "image");
  if (image === "") return { status: 200 };
  // Other sites must not make a browser cause traffic here.
  if (c.req.header("sec-fetch-site") === "cross-site") {
    return { status: 403, error: "measuring has to be started from this page" };
  }
  try {
    return {
      status: 200,
      measurement: await source.measure(image, {
        signal: c.req.raw.signal,
        pull: c.req.query("pull") !== "false",
      }),
    };
  } catch (error) {
    if (!(error instanceof MeasureError)) throw error;
    return { status: error.status, error: error.message };
  }
}

async function check(c: DebugContext, source: DebugSource, { checksMs = 10_000 }: DebugAppOptions) {
  using limit = deadline(checksMs, { signal: c.req.raw.signal });
  return await source.checks({ signal: limit.signal });
}

function requestQuery(c: DebugContext) {
  return { outcome: text(c, "outcome"), text: text(c, "q") };
}

function text(c: DebugContext, name: string): string {
  return (c.req.query(name) ?? "").trim().slice(0, MAX_QUERY);
}
