/** Style sheet of the pages, light and dark, down to the width of a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f4f7f9; --surface: #fff; --ink: #15212b; --quiet: #566775; --line: #dbe3e9;
  --accent: #0b6e87; --accent-soft: #dff1f5; --good: #1f7a3d; --good-soft: #e0f3e6;
  --warning: #935000; --warning-soft: #fdefd9; --bad: #b3261e; --bad-soft: #fce5e3;
  --local: #6fb7c6; --miss: #c3ced6; --shadow: 0 1px 2px #15212b14;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0c1217; --surface: #141c23; --ink: #e4ecf2; --quiet: #96a7b5; --line: #26333d;
    --accent: #5cc7de; --accent-soft: #12343d; --good: #69cf8a; --good-soft: #14301e;
    --warning: #f0b35a; --warning-soft: #362810; --bad: #ff8f86; --bad-soft: #3c1917;
    --local: #2f7f92; --miss: #3b4a56; --shadow: none;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1rem; margin: 0 0 .85rem; display: flex; gap: .6rem; align-items: baseline; }
p { margin: 0; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code, .mono { font-size: .87em; }
.note { color: var(--quiet); font-size: .83rem; font-weight: 400; margin-left: .4rem; }
.quiet, .lead, .empty { color: var(--quiet); }
.lead { margin-bottom: 1.1rem; max-width: 70ch; }
.name { overflow-wrap: anywhere; }
header { background: var(--surface); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1; }
.bar, nav, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 1.25rem; }
.bar { display: flex; justify-content: space-between; align-items: center; padding-top: .7rem; gap: 1rem; }
.brand { display: flex; align-items: center; gap: .5rem; font-weight: 700; font-size: 1.15rem; color: var(--ink); }
.brand:hover { text-decoration: none; }
.logo { width: 1.6rem; height: 1.6rem; color: var(--accent); }
.node { display: flex; align-items: center; gap: .45rem; font-size: .87rem; min-width: 0; overflow-wrap: anywhere; }
.id { color: var(--quiet); }
.dot { width: .6rem; height: .6rem; border-radius: 50%; background: var(--good); flex: none; }
.dot.warning { background: var(--warning); }
nav { display: flex; gap: 1.35rem; overflow-x: auto; scrollbar-width: none; }
nav a { color: var(--quiet); padding: .6rem 0 .55rem; border-bottom: 2px solid transparent; white-space: nowrap; }
nav a:hover { color: var(--ink); text-decoration: none; }
nav a[aria-current] { color: var(--ink); border-color: var(--accent); font-weight: 600; }
main { padding-top: 1.5rem; padding-bottom: 1rem; }
footer { display: flex; gap: 1.25rem; color: var(--quiet); font-size: .83rem; padding-bottom: 2rem; }
.hero { border-radius: 12px; padding: 1.05rem 1.25rem; margin-bottom: 1rem; border-left: 4px solid; }
.hero.good { background: var(--good-soft); border-color: var(--good); }
.hero.warning { background: var(--warning-soft); border-color: var(--warning); }
.hero.bad { background: var(--bad-soft); border-color: var(--bad); }
.hero h1 { font-size: 1.3rem; margin: 0 0 .15rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 1rem; margin-bottom: 1rem; }
.tile, .card {
  background: var(--surface); border: 1px solid var(--line); border-radius: 12px;
  box-shadow: var(--shadow);
}
.tile { padding: .85rem 1.1rem; display: flex; flex-direction: column; }
.tile .label { color: var(--quiet); font-size: .83rem; }
.tile strong { font-size: 1.6rem; line-height: 1.3; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.tile .note { margin: 0; }
.card { padding: 1.1rem 1.25rem; margin-bottom: 1rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th { text-align: left; color: var(--quiet); font-weight: 500; font-size: .8rem; white-space: nowrap; }
th, td { padding: .5rem .9rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child td { border-bottom: 0; padding-bottom: 0; }
td { white-space: nowrap; }
td.value { min-width: 8rem; }
td.wide { white-space: normal; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.reasons { margin-top: 1rem; }
.badge {
  display: inline-block; border-radius: 999px; padding: .06rem .6rem; font-size: .8rem;
  font-weight: 600; white-space: nowrap;
}
.badge.good { color: var(--good); background: var(--good-soft); }
.badge.warning { color: var(--warning); background: var(--warning-soft); }
.badge.bad { color: var(--bad); background: var(--bad-soft); white-space: normal; }
.badge.accent { color: var(--accent); background: var(--accent-soft); }
.badge.plain { color: var(--quiet); background: var(--ground); }
svg.meter { display: block; width: 100%; height: 8px; border-radius: 4px; margin-top: .4rem; }
.rail { fill: var(--line); }
.fill { fill: var(--accent); }
.amount { min-width: 6.5rem; }
.amount svg.meter { height: 4px; margin-top: .3rem; }
td.bars, th.bars { width: 30%; min-width: 8rem; }
svg.stack { display: block; width: 100%; height: 16px; border-radius: 8px; }
.local { fill: var(--local); background: var(--local); }
.hit { fill: var(--accent); background: var(--accent); }
.miss { fill: var(--miss); background: var(--miss); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .35rem 1.5rem; margin: .75rem 0 0; padding: 0; font-size: .9rem; }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: 3px; margin-right: .45rem; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .4rem 1.5rem; margin: 0; font-size: .9rem; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
.search { display: flex; gap: .6rem; margin-bottom: 1.1rem; flex-wrap: wrap; }
input, select, button { font: inherit; color: inherit; border-radius: 8px; border: 1px solid var(--line); padding: .5rem .8rem; background: var(--surface); }
input { flex: 1 1 16rem; min-width: 0; }
button { background: var(--accent); border-color: var(--accent); color: var(--surface); font-weight: 600; cursor: pointer; }
button:disabled { opacity: .6; cursor: progress; }
.message { border-radius: 8px; padding: .7rem 1rem; margin-bottom: 1rem; overflow-wrap: anywhere; }
.message.quiet { background: var(--surface); color: var(--quiet); border: 1px solid var(--line); }
.message.bad { background: var(--bad-soft); color: var(--bad); }
.images, .checks, .digests { list-style: none; margin: 0; padding: 0; }
.images > li, .checks > li { border-top: 1px solid var(--line); }
.images > li:first-child, .checks > li:first-child { border-top: 0; }
summary { display: flex; justify-content: space-between; gap: 1rem; padding: .55rem 0; cursor: pointer; }
summary::marker { content: ""; }
summary .name::before { content: "▸"; color: var(--quiet); display: inline-block; width: 1.1rem; }
details[open] summary .name::before { content: "▾"; }
.facts { white-space: nowrap; }
.digests { columns: 15rem; padding: .15rem 0 .7rem 1rem; }
.action { display: inline-block; margin: 0 0 .8rem 1rem; font-size: .87rem; font-weight: 600; }
.checks > li { display: grid; grid-template-columns: 6.5rem 1fr; gap: .9rem; padding: .75rem 0; }
.checks .badge { justify-self: start; align-self: start; }
.checks p { color: var(--quiet); overflow-wrap: anywhere; }
.checks .fix { color: var(--ink); border-left: 3px solid var(--warning); padding-left: .7rem; margin-top: .35rem; }
@media (max-width: 720px) {
  .bar, nav, main, footer { padding-left: 1rem; padding-right: 1rem; }
  .id { display: none; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .7rem; }
  .tile strong { font-size: 1.3rem; }
  thead { display: none; }
  tr { display: block; border-bottom: 1px solid var(--line); padding: .55rem 0; }
  tbody tr:last-child { border-bottom: 0; padding-bottom: 0; }
  td, tbody tr:last-child td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .14rem 0; text-align: right; white-space: normal; overflow-wrap: anywhere; }
  td[data-label]::before { content: attr(data-label); color: var(--quiet); font-size: .83rem; font-family: system-ui, sans-serif; text-align: left; flex: none; }
  td.bars { width: 100%; }
  .amount svg.meter { display: none; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  summary { flex-direction: column; gap: .1rem; }
  .facts { padding-left: 1rem; }
  .checks > li { grid-template-columns: 1fr; gap: .3rem; }
  .tile:last-child:nth-child(odd) { grid-column: span 2; }
}
`;

/**
 * Script of the pages; they work without it. It refreshes live parts every few seconds while the
 * page is visible, and shows that a form is being processed.
 */
export const SCRIPT = `
"use strict";
const INTERVAL_MS = 3000;
async function refresh() {
  const live = document.querySelectorAll("[data-live]");
  if (document.hidden || live.length === 0) return;
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.querySelectorAll("[data-live]");
  // The page's structure changed: an old page is better than a mixed one.
  if (fresh.length !== live.length) return;
  live.forEach((part, index) => part.replaceWith(document.adoptNode(fresh[index])));
}
if (document.querySelector("[data-live]")) {
  setInterval(() => refresh().catch(() => {}), INTERVAL_MS);
}
for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    button.textContent = form.dataset.busy;
    button.disabled = true;
  });
  addEventListener("pageshow", () => {
    const button = form.querySelector("button");
    button.textContent = "Measure";
    button.disabled = false;
  });
}
`;
