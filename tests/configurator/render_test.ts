import assert from "node:assert/strict";
import { parse } from "smol-toml";
import { parseHostsDocument, withoutOwnBlock } from "../../lib/configurator/hosts_document.ts";
import { renderMirrorFile } from "../../lib/configurator/mirror_file.ts";
import { checkOptions, type ConfiguratorOptions } from "../../lib/configurator/settings.ts";
import { test } from "../support/test.ts";
import { optionsFor } from "./tree.ts";

interface Case {
  readonly name: string;
  readonly registry?: string;
  readonly options?: Partial<ConfiguratorOptions>;
  readonly user?: string;
  readonly others?: readonly string[];
  readonly fallback?: { readonly user?: string; readonly others: readonly string[] };
  readonly want: unknown;
  /** Hosts in the order of the file. */
  readonly order: readonly string[];
}

const EDDY = { capabilities: ["pull", "resolve"], dial_timeout: "200ms" };
const E = "http://127.0.0.1:5000";

const CASES: readonly Case[] = [
  { name: "the default folder has no server", want: { host: { [E]: EDDY } }, order: [E] },
  {
    name: "docker.io has its real server",
    registry: "docker.io",
    want: { server: "https://registry-1.docker.io", host: { [E]: EDDY } },
    order: [E],
  },
  {
    name: "a plain host leaves the choice of scheme to containerd",
    registry: "localhost:5001",
    options: { mirroredRegistries: ["localhost:5001"] },
    want: { host: { [E]: EDDY } },
    order: [E],
  },
  {
    name: "a URL becomes the server",
    registry: "foo.bar:5000",
    options: { mirroredRegistries: ["http://foo.bar:5000"] },
    want: { server: "http://foo.bar:5000", host: { [E]: EDDY } },
    order: [E],
  },
  {
    name: "the URL of docker.io too becomes its real server",
    registry: "docker.io",
    options: { mirroredRegistries: ["https://docker.io"] },
    want: { server: "https://registry-1.docker.io", host: { [E]: EDDY } },
    order: [E],
  },
  {
    name: "without tags only pull",
    options: { resolveTags: false, dialTimeoutMs: 50 },
    want: { host: { [E]: { capabilities: ["pull"], dial_timeout: "50ms" } } },
    order: [E],
  },
  {
    name: "several targets in order, then additional mirrors",
    options: {
      mirrorTargets: ["http://z:1", "http://a:2"],
      additionalMirrorRegistries: ["https://zot.example/cache/", "http://a:2"],
    },
    want: {
      host: {
        "http://z:1": EDDY,
        "http://a:2": EDDY,
        "https://zot.example/cache": {
          ...{ capabilities: ["pull", "resolve"], dial_timeout: "1s", override_path: true },
        },
      },
    },
    order: ["http://z:1", "http://a:2", "https://zot.example/cache"],
  },
  {
    name: "additional mirrors: a path is that of the API, and what else hosts.toml has",
    options: {
      additionalMirrorRegistries: [
        "https://harbor.example/v2/hub",
        "https://zot.example/v2",
        {
          ...{ url: "https://own.example", ca: ["/etc/own.crt"], skipVerify: true },
          header: { "X-Site": ["a", "b"] },
        },
      ],
    },
    want: {
      host: {
        [E]: EDDY,
        "https://harbor.example/v2/hub": {
          ...{ capabilities: ["pull", "resolve"], dial_timeout: "1s", override_path: true },
        },
        "https://zot.example/v2": { capabilities: ["pull", "resolve"], dial_timeout: "1s" },
        "https://own.example": {
          ...{ capabilities: ["pull", "resolve"], dial_timeout: "1s" },
          ...{ ca: ["/etc/own.crt"], skip_verify: true, header: { "X-Site": ["a", "b"] } },
        },
      },
    },
    order: [E, "https://harbor.example/v2/hub", "https://zot.example/v2", "https://own.example"],
  },
  {
    name: "an authorization header",
    options: { authorization: "Basic aGk6eW91" },
    want: { host: { [E]: { ...EDDY, header: { Authorization: "Basic aGk6eW91" } } } },
    order: [E],
  },
  {
    name: "all that the user has stays behind, in order, with unknown keys",
    registry: "docker.io",
    user: `server = "https://mirror.example"
capabilities = ["pull"]
ca = "root.pem"
future = 1.0
big = 9007199254740993
since = 2024-05-06
[header]
x-top = "1"
[host."https://z.example"]
ca = ["a.pem", "/b.pem"]
client = [["c.cert", "c.key"]]
skip_verify = true
override_path = true
later = { a = 1 }
[host."https://z.example".header]
Authorization = "Basic eA=="
x = ["1", "2"]
[host."https://a.example".header]
only = "header"
[host."10"]
[host."9"]
[other.table]
k = true
`,
    want: {
      server: "https://mirror.example",
      capabilities: ["pull"],
      ca: "root.pem",
      future: 1,
      big: 9007199254740993n,
      since: "2024-05-06",
      header: { "x-top": "1" },
      other: { table: { k: true } },
      host: {
        [E]: EDDY,
        "https://z.example": {
          ca: ["a.pem", "/b.pem"],
          client: [["c.cert", "c.key"]],
          skip_verify: true,
          override_path: true,
          later: { a: 1n },
          header: { Authorization: "Basic eA==", x: ["1", "2"] },
        },
        "https://a.example": { header: { only: "header" } },
        "10": {},
        "9": {},
      },
    },
    order: [E, "https://z.example", "https://a.example", "10", "9"],
  },
  {
    name: "no server is added to a file without one",
    registry: "docker.io",
    user: `capabilities = ["pull"]`,
    want: { capabilities: ["pull"], host: { [E]: EDDY } },
    order: [E],
  },
  {
    name: "hosts are left out on request, the registry's own settings stay",
    registry: "docker.io",
    options: { prependExisting: false, additionalMirrorRegistries: ["https://a.example"] },
    user: `server = "https://s"\nca = "x.pem"\n[host."https://a.example"]\nskip_verify = true\n`,
    want: {
      server: "https://s",
      ca: "x.pem",
      host: {
        [E]: EDDY,
        "https://a.example": { capabilities: ["pull", "resolve"], dial_timeout: "1s" },
      },
    },
    order: [E, "https://a.example"],
  },
  {
    name: "the user's entry for Eddy gives way, the one for an additional mirror wins",
    options: { additionalMirrorRegistries: ["https://a.example"] },
    user: `[host."https://a.example/v2"]\nskip_verify = true\n[host."${E}/"]\nskip_verify = true\n`,
    want: { host: { [E]: EDDY, "https://a.example/v2": { skip_verify: true } } },
    order: [E, "https://a.example/v2"],
  },
  {
    name: "certificates in Docker's layout are named when a file hides them",
    registry: "private.example",
    others: ["ca.crt", "client.cert", "client.key", "lone.cert", "notes.txt", "z.crt"],
    want: {
      ca: ["ca.crt", "z.crt"],
      client: [["client.cert", "client.key"], ["lone.cert", "lone.cert"]],
      host: { [E]: EDDY },
    },
    order: [E],
  },
  {
    name: "so they are beside a file without hosts, which 1.x ignores",
    registry: "private.example",
    user: `server = "https://private.example"`,
    others: ["ca.crt"],
    want: { server: "https://private.example", ca: ["ca.crt"], host: { [E]: EDDY } },
    order: [E],
  },
  {
    name: "but not beside a file that settles them",
    registry: "private.example",
    user: `[host."https://m.example"]\n`,
    others: ["ca.crt"],
    want: { host: { [E]: EDDY, "https://m.example": {} } },
    order: [E, "https://m.example"],
  },
  {
    name: "a new folder inherits what the default folder offered",
    registry: "docker.io",
    fallback: {
      user:
        `ca = "d.pem"\n[host."https://m.example"]\nca = ["m.pem", "/abs.pem"]\nclient = [["c.cert", "c.key"]]\n`,
      others: [],
    },
    want: {
      ca: "../_default/d.pem",
      host: {
        [E]: EDDY,
        "https://m.example": {
          ca: ["../_default/m.pem", "/abs.pem"],
          client: [["../_default/c.cert", "../_default/c.key"]],
        },
      },
    },
    order: [E, "https://m.example"],
  },
  {
    name: "certificates of the default folder included",
    registry: "docker.io",
    fallback: { others: ["ca.crt"] },
    want: { ca: ["../_default/ca.crt"], host: { [E]: EDDY } },
    order: [E],
  },
];

test("renderMirrorFile", async (t) => {
  for (const c of CASES) {
    await t.step(c.name, () => {
      const rendered = render(c);
      const parsed = parse(rendered, { integersAsBigInt: true });
      assert.deepEqual(JSON.parse(json(parsed)), JSON.parse(json(c.want)));
      assert.deepEqual(hostsInOrder(rendered), c.order);
    });
    await t.step(`${c.name}: the block taken out and put in again gives the same file`, () => {
      const once = render(c);
      const { user: _user, ...rest } = c;
      const remainder = withoutOwnBlock(new TextEncoder().encode(once));
      assert.notEqual(remainder, undefined);
      const user = remainder ? { user: new TextDecoder().decode(remainder) } : {};
      assert.equal(render({ ...rest, ...user }), once);
      assert.ok(once.endsWith("\n") && !once.includes("\n\n\n"));
    });
  }
});

test("renderMirrorFile writes what people read", () => {
  assert.equal(
    render({
      name: "",
      registry: "docker.io",
      user: `# File generated by k3s. DO NOT EDIT.
# second line
server = 'https://registry-1.docker.io/v2'

[host]
[host.'https://m.example']
  capabilities = ['pull']   # why
  [host.'https://m.example'.header]
  x = 'y'
`,
      want: {},
      order: [],
    }),
    `# File generated by k3s. DO NOT EDIT.
# second line
server = "https://registry-1.docker.io/v2"

# >>> eddy: this block is rewritten by Eddy, put your own settings outside of it
[host."http://127.0.0.1:5000"]
capabilities = [ "pull", "resolve" ]
dial_timeout = "200ms"
# <<< eddy

[host."https://m.example"]
capabilities = [ "pull" ]

[host."https://m.example".header]
x = "y"
`,
  );
});

const BAD_FILES: readonly (readonly [string, RegExp])[] = [
  ["server = ", /Invalid TOML/],
  ["host = 5", /`host` is not a table/],
  ["[[host]]\na = 1", /`host` is not a table/],
  [`[host]\n"http://a" = 5`, /host "http:\/\/a" is not a table/],
];

test("parseHostsDocument refuses what containerd cannot use", async (t) => {
  for (const [text, message] of BAD_FILES) {
    await t.step(text, () => {
      assert.throws(() => parseHostsDocument(new TextEncoder().encode(text)), { message });
    });
  }
  await t.step("bytes that are not UTF-8", () => {
    assert.throws(() => parseHostsDocument(new Uint8Array([0xff, 0xfe])), TypeError);
  });
});

const BAD_OPTIONS: readonly (readonly [Partial<ConfiguratorOptions>, RegExp])[] = [
  [{ mirroredRegistries: ["../etc"] }, /mirrored registry \.\.\/etc.*want a host/],
  [{ mirroredRegistries: ["a/b"] }, /mirrored registry a\/b/],
  [{ mirroredRegistries: ["https://a.example/path"] }, /mirrored registry/],
  [{ mirroredRegistries: ["ftp://a.example"] }, /mirrored registry/],
  [{ mirroredRegistries: [""] }, /mirrored registry/],
  [{ mirroredRegistries: [".."] }, /mirrored registry/],
  [{ mirroredRegistries: ["_backup"] }, /mirrored registry/],
  [{ mirrorTargets: [] }, /mirror targets .*at least one/],
  [{ mirrorTargets: ["127.0.0.1:5000"] }, /mirror target/],
  [{ mirrorTargets: ["http://u:p@127.0.0.1:5000"] }, /without user/],
  [{ mirrorTargets: ["http://127.0.0.1:5000/x"] }, /mirror target/],
  [{ additionalMirrorRegistries: ["zot"] }, /additional mirror registry zot/],
  [{ additionalMirrorRegistries: [{ url: "http://a", ca: ["b"] }] }, /ca of .* b: .*absolute/],
  [{ dialTimeoutMs: 0 }, /dial timeout 0.*1 to 60000/],
  [{ dialTimeoutMs: 1.5 }, /dial timeout/],
  [{ authorization: "a\nb" }, /authorization \(secret\)/],
  [{ configPath: "certs.d" }, /configuration path certs.d/],
  [{ configPath: "/" }, /configuration path/],
  [{ configPath: "/a/../b" }, /configuration path/],
  [{ configPath: "/a:/b" }, /one absolute path/],
];

test("checkOptions refuses bad values by name", async (t) => {
  for (const [options, message] of BAD_OPTIONS) {
    await t.step(JSON.stringify(options), () => {
      const all = optionsFor("/etc/containerd/certs.d", options);
      assert.throws(() => checkOptions(all), { name: "ConfiguratorError", message });
    });
  }
});

function render(c: Case): string {
  const settings = checkOptions(optionsFor("/certs.d", c.options));
  const document = (text: string | undefined) =>
    text === undefined ? undefined : parseHostsDocument(new TextEncoder().encode(text));
  const user = document(c.user);
  const fallback = document(c.fallback?.user);
  return renderMirrorFile({
    registry: c.registry ?? "_default",
    ...(user === undefined ? {} : { user }),
    others: c.others ?? [],
    ...(c.fallback === undefined ? {} : {
      fallback: {
        others: c.fallback.others,
        ...(fallback === undefined ? {} : { document: fallback }),
      },
    }),
  }, settings);
}

/** The order of a file's host tables, read from its text alone. */
function hostsInOrder(text: string): string[] {
  return [...new Set([...text.matchAll(/^\[host\."?([^"\]]+)"?/gm)].map((m) => m[1] ?? ""))];
}

function json(value: unknown): string {
  return JSON.stringify(
    value,
    (_, v) => typeof v === "bigint" ? (Number.isSafeInteger(Number(v)) ? Number(v) : `${v}n`) : v,
  );
}
