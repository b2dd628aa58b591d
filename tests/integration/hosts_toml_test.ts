import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { configuredEndpoints } from "../../lib/agent/upstream_endpoints.ts";
import { systemClock } from "../../lib/async/clock.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { createUpstream } from "../../lib/upstream/create_upstream.ts";
import { MemoryLog } from "../fakes/log.ts";
import type { TestContext } from "../support/test.ts";
import { type ContainerdBinaries, RealContainerd, testEachContainerd } from "./real_containerd.ts";

/** Files for each release of containerd. */
const FILES = 120;
const SERVERS = 4;
const DIGEST: Digest = `sha256:${"0".repeat(64)}`;
const CONFIGURED = { username: "", password: "", configured: "as it is" };

/** A server of a generated file. */
interface Host {
  /** Number of a recorder; undefined at the root: no `server`. */
  readonly server: number | undefined;
  readonly path: string;
  readonly capabilities: string | undefined;
  readonly overridePath: boolean | undefined;
  readonly dialTimeout: string | undefined;
  /** TOML of its headers, without the table. */
  readonly headers: readonly string[];
  readonly isInline: boolean;
}

interface Case {
  readonly folder: "host:port" | "host_port_" | "_default";
  readonly root: Host;
  readonly hosts: readonly Host[];
  readonly byDigest: boolean;
}

const settings = {
  path: fc.constantFrom("", "/", "/v2", "/v2/", "/mirror", "/a//b/", "/v2/hub", "/mirror/v2"),
  capabilities: fc.option(
    fc.constantFrom(
      ...["[]", '["pull"]', '["resolve"]', '["pull", "resolve"]', '["Pull", "RESOLVE"]'],
      ...['["push"]', '["pull", "resolve", "push"]', '["pul"]', '"pull"'],
    ),
    { nil: undefined, freq: 4 },
  ),
  overridePath: fc.option(fc.boolean(), { nil: undefined }),
  dialTimeout: fc.option(fc.constantFrom('"5s"', '"1m30.5s"', '""'), { nil: undefined }),
  headers: fc.subarray([
    'x-a = "one"',
    'X-B = ["one", "two"]',
    "x-c = []",
    'Authorization = "Basic eDp5"',
  ]),
  isInline: fc.boolean(),
};

const cases: fc.Arbitrary<Case> = fc.record({
  folder: fc.constantFrom("host:port", "host_port_", "_default"),
  root: fc.record({
    ...settings,
    server: fc.option(fc.nat(SERVERS - 1), { nil: undefined }),
  }),
  // containerd 1.x takes a file without hosts for a bad one; Eddy's own host is always there.
  hosts: fc.uniqueArray(fc.record({ ...settings, server: fc.nat(SERVERS - 1) }), {
    ...{ minLength: 1, maxLength: 3, selector: ({ server }) => server },
  }),
  byDigest: fc.boolean(),
}).map((each) => {
  const { folder, root } = each;
  // Eddy alone does not show the default folder's secrets to any registry that a pod names.
  const isForAnybody = folder === "_default" && root.server === undefined;
  return isForAnybody ? { ...each, root: { ...root, headers: [] } } : each;
});

/** A request as a recorder saw it. */
interface Seen {
  readonly server: number;
  readonly url: string;
  readonly headers: readonly string[];
}

/** Servers on loopback that have nothing, and note who is asked for what. */
class Recorders implements AsyncDisposable {
  readonly #servers: readonly Server[];
  #seen: Seen[] = [];

  private constructor(servers: readonly Server[]) {
    this.#servers = servers;
    for (const [server, each] of servers.entries()) {
      each.on("request", ({ url = "", rawHeaders }, response) => {
        const headers = rawHeaders.flatMap((name, at) =>
          at % 2 === 0 && /^(?:x-.|authorization)$/i.test(name)
            ? [`${name.toLowerCase()}: ${rawHeaders[at + 1]}`]
            : []
        );
        // Only the order of one header's values has a meaning.
        headers.sort((a, b) => a.split(":", 1).join().localeCompare(b.split(":", 1).join()));
        // By digest, containerd asks for a blob where there is no manifest.
        if (url.includes("/manifests/")) this.#seen.push({ server, url, headers });
        response.writeHead(404).end();
      });
    }
  }

  static async start(): Promise<Recorders> {
    const servers = await Promise.all(Array.from({ length: SERVERS }, async () => {
      const server = createServer();
      const listening = Promise.withResolvers<void>();
      server.listen(0, "127.0.0.1", listening.resolve);
      await listening.promise;
      return server;
    }));
    return new Recorders(servers);
  }

  host(server: number): string {
    return `127.0.0.1:${(this.#servers[server]?.address() as AddressInfo).port}`;
  }

  /** What is seen while something runs. */
  async during(run: () => Promise<unknown>): Promise<readonly Seen[]> {
    this.#seen = [];
    await run();
    return this.#seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }));
  }
}

function toml(host: Host, table: string): string[] {
  const { capabilities, overridePath, dialTimeout, headers, isInline } = host;
  const inline = headers.length > 0 && isInline;
  return [
    ...(capabilities === undefined ? [] : [`capabilities = ${capabilities}`]),
    ...(overridePath === undefined ? [] : [`override_path = ${overridePath}`]),
    ...(dialTimeout === undefined ? [] : [`dial_timeout = ${dialTimeout}`]),
    ...(inline ? [`header = { ${headers.join(", ")} }`] : []),
    ...(headers.length > 0 && !inline ? [`[${table}header]`, ...headers] : []),
  ];
}

function fileOf({ root, hosts }: Case, recorders: Recorders): string {
  const url = ({ server = 0, path }: Host) => `http://${recorders.host(server)}${path}`;
  return [
    ...(root.server === undefined ? [] : [`server = "${url(root)}"`]),
    ...toml(root, ""),
    ...hosts.flatMap((host) => {
      const table = `host."${url(host)}"`;
      return [`[${table}]`, ...toml(host, `${table}.`)];
    }),
  ].join("\n") + "\n";
}

async function compare(
  each: Case,
  { recorders, containerd, directory }: {
    readonly recorders: Recorders;
    readonly containerd: RealContainerd;
    readonly directory: string;
  },
): Promise<void> {
  const registry = recorders.host(0);
  const port = registry.replace(/:(\d+)$/, "_$1_");
  const folder = { "host:port": registry, "host_port_": port, "_default": "_default" }[each.folder];
  const text = fileOf(each, recorders);
  await Deno.mkdir(`${directory}/${folder}`, { recursive: true });
  await Deno.writeTextFile(`${directory}/${folder}/hosts.toml`, text);
  const runtime = { clock: systemClock, log: new MemoryLog() };
  const upstream = createUpstream({
    ...runtime,
    endpoints: configuredEndpoints({
      ...{ registryConfigPath: directory, mirroredRegistries: [registry] },
      ...{ mirrorTargets: [], registryAddr: { host: "", port: 1 } },
    }, runtime),
  }, { budgetMs: 10_000 });
  try {
    const name = `${registry}/library/app${each.byDigest ? `@${DIGEST}` : ":1"}`;
    const fetch = ["content", "fetch", "--hosts-dir", directory, name];
    // Nobody has it, and some files leave nobody to be asked.
    const theirs = await recorders.during(() =>
      assert.rejects(containerd.ctr("default", fetch), /not found|404/)
    );
    const place = { registry, repository: "library/app" };
    const reference = each.byDigest ? { ...place, digest: DIGEST } : { ...place, tag: "1" };
    const { signal } = new AbortController();
    const ours = await recorders.during(() =>
      upstream.head({ kind: "manifest", reference }, { signal, credentials: CONFIGURED })
    );
    assert.deepEqual(distinct(ours), distinct(theirs), `${name}, ${folder}/hosts.toml:\n${text}`);
  } finally {
    upstream.close();
    await Deno.remove(`${directory}/${folder}`, { recursive: true });
  }
}

/** A server that is a host, too, gets the same request twice of containerd, and one of Eddy. */
function distinct(requests: readonly Seen[]): readonly Seen[] {
  const known = new Map(requests.map((request) => [JSON.stringify(request), request]));
  return [...known.values()];
}

async function suite(_: TestContext, binaries: ContainerdBinaries): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-hosts-toml-" });
  const containerd = new RealContainerd(directory, binaries);
  try {
    await using recorders = await Recorders.start();
    await containerd.start();
    const certs = `${directory}/certs`;
    await fc.assert(
      fc.asyncProperty(
        cases,
        (each) => compare(each, { recorders, containerd, directory: certs }),
      ),
      { numRuns: FILES, endOnFailure: true },
    );
  } finally {
    await containerd.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

await testEachContainerd(
  (major) => `hosts.toml: Eddy asks whom containerd ${major}.x asks, in the same way`,
  suite,
  (name, fn) => Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false }),
);
