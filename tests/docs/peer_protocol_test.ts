import assert from "node:assert/strict";
import {
  ANSWER_HEADERS,
  BOOTSTRAP_PATH,
  type BootstrapEntry,
  closedNoiseProtocol,
  DEFAULT_DHT_PREFIX,
  dhtProtocol,
  MDNS_SERVICE,
  REQUEST_HEADERS,
  STREAM_PROTOCOLS,
} from "../../lib/oci/peer_protocol.ts";
import { readSource, ROOT, sourceFiles } from "../architecture/source_files.ts";
import { test } from "../support/test.ts";

const HOME = "lib/oci/peer_protocol.ts";
const DOCUMENT = await Deno.readTextFile(new URL("docs/peer-protocol.md", ROOT));

/** What the first column of the first table below a heading names. */
function named(heading: string): string[] {
  const [, below = ""] = DOCUMENT.split(`# ${heading}\n`);
  const table = below.slice(below.indexOf("\n|")).trimStart().split("\n\n")[0] ?? "";
  return [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, name = ""]) => name);
}

for (
  const [heading, names] of [
    ["Headers of requests", Object.values(REQUEST_HEADERS)],
    ["Headers of answers", Object.values(ANSWER_HEADERS)],
    ["The index, over libp2p", [
      dhtProtocol(DEFAULT_DHT_PREFIX),
      ...Object.values(STREAM_PROTOCOLS),
      closedNoiseProtocol("ID"),
    ]],
  ] as const
) {
  test(`peer protocol: the table "${heading}" has each name once, and no other`, () => {
    assert.deepEqual(named(heading).toSorted(), names.toSorted());
  });
}

test("peer protocol: the document names where bootstrap asks, and what it is answered", () => {
  const entry: Required<BootstrapEntry> = { ID: "", Addrs: [], Hearsay: true };
  for (const name of [`GET ${BOOTSTRAP_PATH}\``, `\`${MDNS_SERVICE}\``]) {
    assert(DOCUMENT.includes(name), name);
  }
  for (const name of Object.keys(entry)) assert(DOCUMENT.includes(`"${name}"`), name);
});

test("peer protocol: whatever the document names like a header or a protocol is one", () => {
  const known = new Set<string>(
    [REQUEST_HEADERS, ANSWER_HEADERS, STREAM_PROTOCOLS].flatMap((names) => Object.values(names)),
  ).add(closedNoiseProtocol("ID"));
  for (const [name] of DOCUMENT.matchAll(/\bx-(?:eddy|spegel)-[a-z-]+|\/eddy\/[\w./]+/g)) {
    assert(known.has(name), name);
  }
});

test(`peer protocol: names are written in ${HOME} alone`, async () => {
  const written = /["'`](?:x-(?:eddy|spegel)-|\/eddy\/(?:\w+\/\d|noise)|\/id["'`]|_eddy\._udp)/;
  for (const path of await sourceFiles()) {
    if (path === HOME) continue;
    const code = (await readSource(path)).split("\n").filter((line) =>
      !/^\s*(\/\/|\/?\*)/.test(line)
    );
    assert.deepEqual(code.filter((line) => written.test(line)), [], path);
  }
});
