import assert from "node:assert/strict";
import { configure, restoreConfiguration } from "../../lib/configurator/configure.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { optionsFor, put, type TreeFile, withTree } from "../configurator/tree.ts";
import type { ConfiguratorOptions } from "../../lib/configurator/settings.ts";
import type { TestContext } from "../support/test.ts";
import { type ContainerdBinaries, RealContainerd, testEachContainerd } from "./real_containerd.ts";
import { type RecordedRequest, RegistryRecorder, tinyImage } from "./registry_recorder.ts";

const collaborators = { fileSystem: denoFileSystem };

/** Addresses that a case can use; all of them are registries on loopback. */
interface Places {
  readonly eddy: string;
  readonly first: string;
  readonly second: string;
  readonly upstream: string;
  /** Host and port of the upstream. */
  readonly host: string;
  /** Certificate that the upstream shows if it speaks TLS. */
  readonly certificate: string;
}

interface Case {
  readonly name: string;
  readonly tls?: true;
  /** What the user has in certs.d. */
  readonly files: (places: Places) => Readonly<Record<string, TreeFile>>;
  readonly options: (places: Places) => Partial<ConfiguratorOptions>;
  /** Who is asked for a tag, in order, and who for a layer. */
  readonly tag: readonly string[];
  readonly layer: readonly string[];
  /** Who is asked once Eddy has restored what was there; undefined: it never worked without Eddy. */
  readonly restored?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "the default folder, for a registry without one",
    files: () => ({}),
    options: () => ({}),
    tag: ["eddy", "upstream"],
    layer: ["eddy", "upstream"],
    restored: ["upstream"],
  },
  {
    name: "a folder of Eddy's with a server",
    files: () => ({}),
    options: ({ upstream }) => ({ mirroredRegistries: [upstream] }),
    tag: ["eddy", "upstream"],
    layer: ["eddy", "upstream"],
    restored: ["upstream"],
  },
  {
    name: "without tags only digests",
    files: () => ({}),
    options: () => ({ resolveTags: false }),
    tag: ["upstream"],
    layer: ["eddy", "upstream"],
    restored: ["upstream"],
  },
  {
    name: "a user's hosts, merged, and an additional mirror",
    files: ({ host, first, second, upstream }) => ({
      [`${host}/hosts.toml`]: `server = '${upstream}'
[host."${second}"]
capabilities = ["pull", "resolve"]
future = "unknown"
[host."${second}".header]
x-user = ["kept"]
[host."${first}".header]
x-user = "kept too"
`,
    }),
    options: () => ({}),
    tag: ["eddy", "second", "first", "upstream"],
    layer: ["eddy", "second", "first", "upstream"],
    restored: ["second", "first", "upstream"],
  },
  {
    name: "an additional mirror between Eddy and the user's host",
    files: ({ host, first, upstream }) => ({
      [`${host}/hosts.toml`]: `server = "${upstream}"\n[host."${first}"]\n`,
    }),
    options: ({ second }) => ({ additionalMirrorRegistries: [second] }),
    tag: ["eddy", "second", "first", "upstream"],
    layer: ["eddy", "second", "first", "upstream"],
    restored: ["first", "upstream"],
  },
  {
    name: "additional mirrors in the order in which they are named",
    files: () => ({}),
    options: ({ second, first }) => ({ additionalMirrorRegistries: [second, first] }),
    tag: ["eddy", "second", "first", "upstream"],
    layer: ["eddy", "second", "first", "upstream"],
    restored: ["upstream"],
  },
  {
    name: "credentials for Eddy, which nobody else is told",
    files: ({ host, first, upstream }) => ({
      [`${host}/hosts.toml`]: `server = "${upstream}"\n[host."${first}"]\n`,
    }),
    options: ({ second }) => ({
      authorization: "Basic dXNlcjpwYXNz",
      additionalMirrorRegistries: [second],
    }),
    tag: ["eddy", "second", "first", "upstream"],
    layer: ["eddy", "second", "first", "upstream"],
    restored: ["first", "upstream"],
  },
  {
    name: "the folder name that containerd prefers",
    files: ({ host, first, upstream }) => ({
      [`${host.replace(":", "_")}_/hosts.toml`]: `server = "${upstream}"\n[host."${first}"]\n`,
    }),
    options: ({ host }) => ({ mirroredRegistries: [host] }),
    tag: ["eddy", "first", "upstream"],
    layer: ["eddy", "first", "upstream"],
    restored: ["first", "upstream"],
  },
  {
    name: "a new folder that inherits the user's default folder",
    files: ({ first, upstream }) => ({
      "_default/hosts.toml": `server = "${upstream}"\n[host."${first}"]\n`,
    }),
    options: ({ host }) => ({ mirroredRegistries: [host] }),
    tag: ["eddy", "first", "upstream"],
    layer: ["eddy", "first", "upstream"],
    restored: ["first", "upstream"],
  },
  {
    name: "certificates in Docker's layout, with TLS",
    tls: true,
    files: ({ host, certificate }) => ({ [`${host}/ca.crt`]: certificate }),
    options: ({ upstream }) => ({ mirroredRegistries: [upstream] }),
    tag: ["eddy", "upstream"],
    layer: ["eddy", "upstream"],
    // Not told otherwise, containerd 1.x speaks plain HTTP to loopback.
  },
  {
    name: "certificates of the default folder by a relative path, with TLS",
    tls: true,
    files: ({ upstream, certificate }) => ({
      "_default/hosts.toml":
        `server = "${upstream}"\nca = "ca.pem"\n[host."${upstream}"]\nca = "ca.pem"\n`,
      "_default/ca.pem": certificate,
    }),
    options: ({ host }) => ({ mirroredRegistries: [host] }),
    tag: ["eddy", "upstream"],
    layer: ["eddy", "upstream"],
    restored: ["upstream"],
  },
];

async function suite(t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-configurator-containerd-" });
  const containerd = new RealContainerd(directory, binaries);
  try {
    const tls = await makeCertificate(directory);
    await containerd.start();
    for (const c of CASES) await t.step(c.name, () => runCase(c, containerd, tls));
  } finally {
    await containerd.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

async function runCase(
  c: Case,
  containerd: RealContainerd,
  tls: { cert: string; key: string },
): Promise<void> {
  const requests: RecordedRequest[] = [];
  const images = ["mirrored", "restored"].map((name) =>
    tinyImage(`library/${name}`, c.name + name)
  );
  const contents = new Map(images.flatMap((image) => [...image.contents]));
  await using eddy = new RegistryRecorder("eddy", requests);
  await using first = new RegistryRecorder("first", requests);
  await using second = new RegistryRecorder("second", requests);
  await using upstream = new RegistryRecorder("upstream", requests, contents, c.tls && tls);
  const places: Places = {
    eddy: eddy.url,
    first: first.url,
    second: second.url,
    upstream: upstream.url,
    host: upstream.host,
    certificate: tls.cert,
  };
  await withTree({}, async (root) => {
    for (const [path, file] of Object.entries(c.files(places))) await put(`${root}/${path}`, file);
    const options = optionsFor(root, { mirrorTargets: [eddy.url], ...c.options(places) });
    await configure(collaborators, options);
    const fetch = (repository: string, hosts = root) =>
      containerd.ctr("default", [
        "content",
        "fetch",
        "--hosts-dir",
        hosts,
        `${upstream.host}/library/${repository}:1`,
      ]);
    if (c.tls) await assertDistrusted(places, (hosts) => fetch("mirrored", hosts));
    requests.length = 0;
    await fetch("mirrored");
    const [mirrored, restored] = images;
    assert.ok(mirrored !== undefined && restored !== undefined);
    assert.deepEqual(asked(requests, "HEAD", mirrored.tagPath), c.tag);
    assert.deepEqual(asked(requests, "GET", mirrored.layerPath), c.layer);
    for (const { at, ns, headers } of requests) {
      assert.equal(ns, at === "upstream" ? null : upstream.host, `ns at ${at}`);
      const authorization = at === "eddy" ? options.authorization ?? null : null;
      assert.equal(headers.get("authorization"), authorization, `credentials at ${at}`);
    }
    if (c.name.includes("merged")) {
      const headers = requests.filter(({ at }) => at === "first" || at === "second")
        .map(({ headers }) => headers.get("x-user"));
      assert.deepEqual(new Set(headers), new Set(["kept", "kept too"]));
    }
    await restoreConfiguration(collaborators, { configPath: root });
    requests.length = 0;
    if (c.restored === undefined) return;
    await fetch("restored");
    assert.deepEqual(asked(requests, "HEAD", restored.tagPath), c.restored);
  });
}

/** Without its certificate the upstream is not trusted: a pull that succeeds has found it. */
async function assertDistrusted(
  { host, first, upstream }: Places,
  fetch: (hosts: string) => Promise<unknown>,
): Promise<void> {
  const files = { [`${host}/hosts.toml`]: `server = "${upstream}"\n[host."${first}"]\n` };
  await withTree(files, async (root) => {
    await assert.rejects(fetch(root), /certificate signed by unknown authority/);
  });
}

/** Who got such requests, in order; a repetition at the same place counts once. */
function asked(requests: readonly RecordedRequest[], method: string, path: string): string[] {
  return requests.filter((request) => request.method === method && request.path === path)
    .map(({ at }) => at).filter((at, index, all) => at !== all[index - 1]);
}

/** A certificate for 127.0.0.1 that signs itself, so that only who is given it trusts it. */
async function makeCertificate(directory: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [`${directory}/cert.pem`, `${directory}/key.pem`];
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" "),
      ...["-subj", "/CN=eddy test", "-addext", "subjectAltName=IP:127.0.0.1"],
      ...["-keyout", key, "-out", cert],
    ],
    stderr: "piped",
    stdout: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
}

await testEachContainerd(
  (major) => `containerd ${major}.x reads the mirror configuration`,
  suite,
);
