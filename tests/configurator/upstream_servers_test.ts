import assert from "node:assert/strict";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { configure } from "../../lib/configurator/configure.ts";
import { readUpstreamServers } from "../../lib/configurator/upstream_servers.ts";
import { withFiles } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const EDDY = "http://127.0.0.1:5000";
const fileSystem = denoFileSystem;

/** What is there for a server of which nothing is said. */
const OPEN = {
  ...{ pulls: true, resolves: true, skipVerify: false, named: true, rewrites: [], headers: {} },
  ...{ caCertificates: [], client: undefined, dialTimeoutMs: undefined, httpsFirst: false },
};

const pem = (name: string) =>
  `-----BEGIN CERTIFICATE-----\n${name}\n-----BEGIN EC PRIVATE KEY-----\n${name}\n`;

async function read(configPath: string, registry: string) {
  const { servers, problem } = await readUpstreamServers({ fileSystem }, {
    ...{ configPath, registry, own: [EDDY] },
  });
  assert.equal(problem, undefined);
  return servers;
}

test("a registry's servers, in containerd's order", async () => {
  const files = {
    "ghcr.io/hosts.toml": `
server = "https://ghcr.io"
ca = "root.crt"
header = { "X-Root" = "two" }
[host."${EDDY}"]
capabilities = ["pull", "resolve"]
[host."https://cache.example/ghcr"]
capabilities = ["Pull", "RESOLVE"]
ca = ["site.crt", "root.crt"]
Dial_Timeout = "+1m1.5s"
[host."https://cache.example/ghcr".header]
X-Site = "one"
X-Many = ["first", "second"]
[host."https://bytes.example"]
capabilities = ["pull"]
[host."https://bytes.example".rewrite]
"^(.*)$" = "hub/$1"
[host."https://odd.example/api/registry"]
capabilities = []
override_path = true
skip_verify = true
client = "site.crt"
`,
    "ghcr.io/root.crt": pem("ROOT"),
    "ghcr.io/site.crt": pem("SITE"),
  };
  await withFiles(files, async (configPath) => {
    assert.deepEqual(await read(configPath, "ghcr.io"), [
      {
        ...OPEN,
        url: "https://cache.example/ghcr/v2",
        caCertificates: [pem("SITE"), pem("ROOT")],
        headers: { "X-Site": ["one"], "X-Many": ["first", "second"] },
        dialTimeoutMs: 61_500,
      },
      {
        ...{ ...OPEN, url: "https://bytes.example/v2", resolves: false },
        rewrites: [["^(.*)$", "hub/$1"]],
      },
      {
        ...{ ...OPEN, url: "https://odd.example/api/registry", skipVerify: true },
        client: { certificate: pem("SITE"), key: pem("SITE") },
      },
      {
        ...{ ...OPEN, url: "https://ghcr.io/v2" },
        caCertificates: [pem("ROOT")],
        headers: { "X-Root": ["two"] },
      },
    ]);
  });
});

test("without a server, the registry's own name comes last, as in containerd", async () => {
  const host = '[host."https://mirror.example"]\n[host."https://mirror.example".header]\nx = "1"\n';
  const files = {
    "one.example/hosts.toml": `capabilities = ["push"]\n${host}[header]\nkey = "secret"\n`,
    "empty.example/other.txt": "",
    "_default/hosts.toml": `${host}[header]\nkey = "secret"\n`,
  };
  const mirror = { ...OPEN, url: "https://mirror.example/v2", headers: { x: ["1"] } };
  const byName = { ...OPEN, url: undefined };
  await withFiles(files, async (configPath) => {
    assert.deepEqual(await read(configPath, "one.example"), [
      mirror,
      { ...byName, headers: { key: ["secret"] } },
    ]);
    assert.deepEqual(await read(configPath, "empty.example"), [byName]);
    // A name that is in nobody's configuration is not trusted, nor told a secret.
    assert.deepEqual(await read(configPath, "127.0.0.1:8080"), [
      mirror,
      { ...byName, named: false },
    ]);
  });
});

test("client certificates: a file, files, pairs, and Docker's layout", async () => {
  const files = {
    "r.example/a.pem": pem("A"),
    "r.example/a.key": pem("A KEY"),
    "docker.example/site.crt": pem("CA"),
    "docker.example/b.cert": pem("B"),
    "docker.example/b.key": pem("B KEY"),
    "alone.example/b.cert": pem("B"),
  };
  const a = { certificate: pem("A"), key: pem("A") };
  const pair = { certificate: pem("A"), key: pem("A KEY") };
  const cases: [client: string, expected: unknown][] = [
    ['"a.pem"', a],
    ['["a.pem"]', a],
    ['[["a.pem", "a.key"], ["a.pem", "a.pem"]]', pair],
    ["[]", undefined],
  ];
  await withFiles(files, async (configPath) => {
    for (const [client, expected] of cases) {
      await Deno.writeTextFile(`${configPath}/r.example/hosts.toml`, `client = ${client}\n`);
      assert.deepEqual((await read(configPath, "r.example")).map(({ client }) => client), [
        expected,
      ]);
    }
    const pairs = 'client = [["a.pem", "a.key"], "a.pem"]\n';
    await Deno.writeTextFile(`${configPath}/r.example/hosts.toml`, pairs);
    const [several] = await read(configPath, "r.example");
    assert.deepEqual([several?.client, several?.otherClients], [pair, [a]]);
    const docker = { certificate: pem("B"), key: pem("B KEY") };
    assert.deepEqual(await read(configPath, "docker.example"), [
      { ...OPEN, url: undefined, client: docker, caCertificates: [pem("CA")] },
    ]);
    const [alone] = await read(configPath, "alone.example");
    assert.deepEqual(alone?.client, { certificate: pem("B"), key: pem("B") });
  });
});

test("of a hosts.toml that containerd refuses nothing is used", async () => {
  const bad = [
    "[host",
    'capabilities = ["pul"]',
    'capabilities = "pull"',
    "server = 1",
    "ca = 1",
    "ca = [1]",
    "client = 1",
    'client = [["a", "b", "c"]]',
    'skip_verify = "true"',
    'dial_timeout = "soon"',
    "[header]\nx = 1",
    '[[host."https://m.example"]]',
  ];
  for (const text of bad) {
    const files = {
      "r.example/hosts.toml": `${text}\n[host."https://other.example"]\n`,
      "r.example/a.crt": pem("CA"),
    };
    await withFiles(files, async (configPath) => {
      const { servers, problem } = await readUpstreamServers({ fileSystem }, {
        ...{ configPath, registry: "r.example", own: [] },
      });
      const certificates = { ...OPEN, url: undefined, caCertificates: [pem("CA")] };
      assert.deepEqual(servers, [certificates], text);
      assert.notEqual(problem, undefined, text);
    });
  }
});

test("HTTPS is tried first where TLS settings belong to a plain URL, as in containerd", async () => {
  const cases: [server: string, settings: string, expected: boolean][] = [
    ["http://a.example:5000", "skip_verify = true", true],
    ["http://a.example:5000", "skip_verify = false", true],
    ["http://a.example", "ca = []", true],
    ["http://a.example:5000/v2/hub", 'client = "a.pem"', true],
    ["http://a.example:5000", "client = []", false],
    ["http://a.example:5000", "", false],
    ["http://a.example:80", "skip_verify = true", false],
    ["http://a.example:80/hub", "skip_verify = true", false],
    ["http://a.example:8080", "SKIP_VERIFY = true", true],
    ["https://a.example:5000", "skip_verify = true", false],
    ["a.example:5000", "skip_verify = true", false],
  ];
  for (const [server, settings, expected] of cases) {
    const files = {
      "r.example/hosts.toml": `server = "${server}"\n${settings}\n`,
      "r.example/a.pem": pem("A"),
    };
    await withFiles(files, async (configPath) => {
      const found = (await read(configPath, "r.example")).map(({ httpsFirst }) => httpsFirst);
      assert.deepEqual(found, [expected], `${server} ${settings}`);
    });
  }
});

test("a file that is named and cannot be used is an error, as in containerd", async () => {
  const files = {
    "gone.example/hosts.toml": 'ca = "gone.crt"\n',
    "other.example/hosts.toml": 'ca = "other.crt"\n',
    "other.example/other.crt": "nothing\n",
    "key.example/hosts.toml": 'client = "key.pem"\n',
    "key.example/key.pem": "-----BEGIN CERTIFICATE-----\n",
  };
  await withFiles(files, async (configPath) => {
    await assert.rejects(read(configPath, "gone.example"), /gone\.crt: it does not exist/);
    await assert.rejects(read(configPath, "other.example"), /other\.crt: it has no CERTIFICATE/);
    await assert.rejects(read(configPath, "key.example"), /key\.pem: it has no PRIVATE KEY/);
  });
});

test("the folder that containerd would read", async () => {
  const server = (url: string) => `server = "${url}"\n`;
  const files = {
    "_default/hosts.toml": server("http://default.example"),
    "registry.test:5000/hosts.toml": server("http://colon.example/v2/"),
    "registry.test_5001_/hosts.toml": server("underscore.example"),
    "registry.test:5001/hosts.toml": server("http://hidden.example"),
  };
  await withFiles(files, async (configPath) => {
    const url = async (registry: string) =>
      (await read(configPath, registry)).map(({ url }) => url);
    assert.deepEqual(await url("registry.test:5000"), ["http://colon.example/v2"]);
    assert.deepEqual(await url("registry.test:5001"), ["https://underscore.example/v2"]);
    assert.deepEqual(await url("elsewhere.example"), ["http://default.example/v2"]);
  });
  await withFiles({}, async (configPath) => {
    assert.deepEqual(await read(configPath, "docker.io"), []);
  });
});

test("what Eddy itself writes leads to upstream", async () => {
  const files = { "registry.test:5000/hosts.toml": 'server = "http://registry.test:5000"\n' };
  await withFiles(files, async (configPath) => {
    await configure({ fileSystem }, {
      configPath,
      mirroredRegistries: ["_default", "docker.io", "http://plain.example"],
      mirrorTargets: [EDDY],
      resolveTags: true,
      additionalMirrorRegistries: ["https://zot.example"],
    });
    const urls = async (registry: string) =>
      (await read(configPath, registry)).map(({ url }) => url);
    const zot = "https://zot.example/v2";
    assert.deepEqual(await urls("docker.io"), [zot, "https://registry-1.docker.io/v2"]);
    assert.deepEqual(await urls("plain.example"), [zot, "http://plain.example/v2"]);
    assert.deepEqual(await urls("registry.test:5000"), [zot, "http://registry.test:5000/v2"]);
  });
});
