import type { Child } from "hono/jsx";
import { shortId } from "../format.ts";

/** The pages, in the order of the navigation. */
export const PAGES = [
  { path: "/debug/", name: "Overview" },
  { path: "/debug/content", name: "Content" },
  { path: "/debug/requests", name: "Requests" },
  { path: "/debug/measure", name: "Measure" },
  { path: "/debug/checks", name: "Checks" },
  { path: "/debug/config", name: "Configuration" },
] as const;

export type PagePath = typeof PAGES[number]["path"];

/** Common data of all pages. */
export interface Frame {
  readonly page: PagePath;
  readonly node: string;
  readonly id: string;
  readonly version: string;
  readonly ready: boolean;
  /** Set if private images are masked, and whether credentials would help. */
  readonly masked: { readonly canSignIn: boolean } | undefined;
}

export function Layout({ frame, children }: { frame: Frame; children?: Child }) {
  const title = PAGES.find(({ path }) => path === frame.page)?.name ?? "";
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · ${frame.node} · Eddy`}</title>
        <link rel="icon" href="/debug/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/debug/style.css" />
        <script src="/debug/script.js" defer></script>
      </head>
      <body>
        <header>
          <div class="bar">
            <a class="brand" href="/debug/">
              <Logo />
              <span>Eddy</span>
            </a>
            <span class="node" title={frame.id}>
              <span class={`dot ${frame.ready ? "good" : "warning"}`}></span>
              {frame.node}
              <span class="id">{shortId(frame.id)}</span>
            </span>
          </div>
          <nav aria-label="Pages">
            {PAGES.map(({ path, name }) => (
              <a href={path} aria-current={path === frame.page ? "page" : undefined}>{name}</a>
            ))}
          </nav>
        </header>
        <main id="page">
          {frame.masked === undefined ? null : <MaskedNote {...frame.masked} />}
          {children}
        </main>
        <footer>
          <span>Eddy {frame.version}</span>
          <a href={`/debug/api${frame.page === "/debug/" ? "/overview" : frame.page.slice(6)}`}>
            this page as JSON
          </a>
          <a href="/metrics">metrics</a>
        </footer>
      </body>
    </html>
  );
}

/** A note that private images are masked. */
function MaskedNote({ canSignIn }: { canSignIn: boolean }) {
  return (
    <p class="message quiet">
      Names of private images are left out for clients outside of this node.{" "}
      {canSignIn ? <a href="/debug/sign-in">Sign in</a> : null}
    </p>
  );
}

/** An eddy: water that turns behind a stone. */
function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path
        d={LOGO_PATH}
        fill="none"
        stroke="currentColor"
        stroke-width="3.2"
        stroke-linecap="round"
      />
    </svg>
  );
}

/** A spiral of one and a half turns with a tail. */
export const LOGO_PATH =
  "M3 25c6 4 15 4 21-2 6-6 5-15-2-18-6-3-14 0-15 7-1 6 4 10 9 9 4-1 6-5 4-8-2-2-5-2-6 1";

/** A titled section of a page. */
export function Card(
  { title, note, children }: { title: string; note?: Child; children?: Child },
) {
  return (
    <section class="card">
      <h2>
        {title}
        {note === undefined ? null : <span class="note">{note}</span>}
      </h2>
      {children}
    </section>
  );
}

/** Placeholder of an empty list. */
export function Empty({ children }: { children?: Child }) {
  return <p class="empty">{children}</p>;
}

/** A state, in colour and in words. */
export function Badge({ kind, children }: { kind: BadgeKind; children?: Child }) {
  return <span class={`badge ${kind}`}>{children}</span>;
}

/** Colours of badges. */
export type BadgeKind = "good" | "warning" | "bad" | "plain" | "accent";

/** A bar from `start` with the length `value`, on a scale of `max`. */
export function Bar(
  { value, max, start = 0, label }: { value: number; max: number; start?: number; label: string },
) {
  const part = (amount: number) => max <= 0 ? 0 : Math.min(100, 100 * amount / max);
  return (
    <svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="rail" width="100" height="8" />
      <rect
        class="fill"
        x={part(start).toFixed(2)}
        width={(value === 0 ? 0 : Math.max(part(value), 0.6)).toFixed(2)}
        height="8"
      />
    </svg>
  );
}
