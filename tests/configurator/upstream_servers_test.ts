import assert from "node:assert/strict";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { configure } from "../../lib/configurator/configure.ts";
import { readUpstreamServers } from "../../lib/configurator/upstream_servers.ts";
import { test } from "../support/test.ts";

const EDDY = "http://127.0.0.1:5000";
const fileSystem = denoFileSystem;

async function withDirectory(
  files: Record<string, string>,
  run: (configPath: string) => Promise<void>,
): Promise<void> {
  const configPath = await Deno.makeTempDir({ prefix: "eddy-upstream-" });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${configPath}/${name}`.replace(/\/[^/]+$/, ""), { recursive: true });
      await Deno.writeTextFile(`${configPath}/${name}`, text);
    }
    await run(configPath);
  } finally {
    await Deno.remove(configPath, { recursive: true });
  }
}

function read(configPath: string, registry: string) {
  return readUpstreamServers({ fileSystem }, { configPath, registry, own: [EDDY] });
}

test("where a registry's tags are resolved, in containerd's order", async () => {
  const files = {
    "ghcr.io/hosts.toml": `
server = "https://ghcr.io"
ca = "root.crt"
header = { "X-Root" = "two" }
[host."${EDDY}"]
capabilities = ["pull", "resolve"]
[host."https://cache.example/ghcr"]
capabilities = ["pull", "resolve"]
ca = ["/nowhere/a.crt", "site.crt"]
header = { "X-Site" = "one", "X-Many" = ["first", "second"] }
[host."https://bytes.example"]
capabilities = ["pull"]
[host."https://odd.example/api/registry"]
override_path = true
`,
    "ghcr.io/root.crt": "ROOT",
    "ghcr.io/site.crt": "SITE",
  };
  await withDirectory(files, async (configPath) => {
    assert.deepEqual(await read(configPath, "ghcr.io"), [
      {
        url: "https://cache.example/ghcr/v2",
        caCertificates: ["SITE"],
        headers: { "X-Site": "one", "X-Many": "first" },
        named: true,
      },
      { url: "https://odd.example/api/registry", caCertificates: [], headers: {}, named: true },
      {
        url: "https://ghcr.io/v2",
        caCertificates: ["ROOT"],
        headers: { "X-Root": "two" },
        named: true,
      },
    ]);
  });
});

test("without a server, the registry's own name says where it is, as in containerd", async () => {
  const host = '[host."https://mirror.example"]\n[host."https://mirror.example".header]\nx = "1"\n';
  const files = {
    "one.example/hosts.toml": `${host}[header]\nkey = "secret"\n`,
    "empty.example/other.txt": "",
    "_default/hosts.toml": `${host}[header]\nkey = "secret"\n`,
  };
  const mirror = {
    ...{ url: "https://mirror.example/v2", caCertificates: [], headers: { x: "1" } },
    named: true,
  };
  const byName = { url: undefined, caCertificates: [] };
  await withDirectory(files, async (configPath) => {
    assert.deepEqual(await read(configPath, "one.example"), [
      mirror,
      { ...byName, headers: { key: "secret" }, named: true },
    ]);
    assert.deepEqual(await read(configPath, "empty.example"), [
      { ...byName, headers: {}, named: true },
    ]);
    // A name that is in nobody's configuration is not trusted, nor told a secret.
    assert.deepEqual(await read(configPath, "127.0.0.1:8080"), [
      mirror,
      { ...byName, headers: {}, named: false },
    ]);
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
  await withDirectory(files, async (configPath) => {
    const url = async (registry: string) =>
      (await read(configPath, registry)).map(({ url }) => url);
    assert.deepEqual(await url("registry.test:5000"), ["http://colon.example/v2"]);
    assert.deepEqual(await url("registry.test:5001"), ["https://underscore.example/v2"]);
    assert.deepEqual(await url("elsewhere.example"), ["http://default.example/v2"]);
  });
  await withDirectory({}, async (configPath) => {
    assert.deepEqual(await read(configPath, "docker.io"), []);
  });
});

test("what Eddy itself writes leads to upstream", async () => {
  const files = { "registry.test:5000/hosts.toml": 'server = "http://registry.test:5000"\n' };
  await withDirectory(files, async (configPath) => {
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
