import assert from "node:assert/strict";
import {
  configuredEndpoints,
  withConfiguredAccess,
  withServerCredentials,
} from "../../lib/agent/upstream_endpoints.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { withFiles } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const LISTEN = { host: "", port: 5000 };
const OPEN = { caCertificates: [], headers: {} };
const READ = {
  ...{ ...OPEN, httpsFirst: false, pulls: true, resolves: true, skipVerify: false, rewrites: [] },
  ...{ client: undefined, dialTimeoutMs: undefined },
};

async function withHosts(
  files: Record<string, string>,
  run: (
    endpoints: ReturnType<typeof configuredEndpoints>,
    lab: { readonly clock: FakeClock; readonly directory: string },
  ) => Promise<void>,
  mirroredRegistries: readonly string[] = [],
): Promise<void> {
  const hosts = Object.entries(files).map(([name, text]) => [`${name}/hosts.toml`, text]);
  await withFiles(Object.fromEntries(hosts), async (registryConfigPath) => {
    const config = { registryConfigPath, mirroredRegistries, mirrorTargets: [] };
    const runtime = { clock: new FakeClock(), log: new MemoryLog() };
    const lab = { clock: runtime.clock, directory: registryConfigPath };
    await run(configuredEndpoints({ ...config, registryAddr: LISTEN }, runtime), lab);
  });
}

test("a registry's own name is trusted only if the node's configuration has it", async () => {
  const files = {
    "127.0.0.1:8001": '[host."http://mirror.example"]\n',
    "broken.example": "[[[",
    "unreadable.example": 'ca = "gone.crt"\n',
  };
  await withHosts(files, async (endpoints) => {
    const mirror = { ...READ, url: "http://mirror.example/v2", named: true };
    const local = { httpsFirst: true, skipVerify: true, named: true };
    const named = { ...READ, ...local, url: "http://127.0.0.1:8001/v2" };
    assert.deepEqual(await endpoints("127.0.0.1:8001"), [mirror, named]);
    const flagged = { ...OPEN, ...local, url: "http://localhost:8002/v2" };
    assert.deepEqual(await endpoints("localhost:8002"), [flagged]);
    for (const registry of ["localhost:8001", "127.0.0.1:8002", "0x7f.1"]) {
      const [{ named, url } = assert.fail(), ...rest] = await endpoints(registry);
      assert.deepEqual([named, rest], [false, []], `${registry}: ${url}`);
    }
    const byName = { ...READ, url: "https://broken.example/v2", named: true };
    assert.deepEqual(await endpoints("broken.example"), [byName]);
    await assert.rejects(endpoints("unreadable.example"), /gone\.crt/);
    for (const registry of ["a:99999", "xn--a.example", "256.0.0.1"]) {
      assert.deepEqual(await endpoints(registry), [], registry);
    }
  }, ["http://localhost:8002"]);
});

test("a changed hosts.toml is read after ten seconds, however often it is asked for", async () => {
  const server = (host: string) => `server = "https://${host}"\n`;
  await withHosts({ "a.example": server("old.example") }, async (endpoints, lab) => {
    const urls = async () => (await endpoints("a.example")).map(({ url }) => url);
    assert.deepEqual(await urls(), ["https://old.example/v2"]);
    await Deno.writeTextFile(`${lab.directory}/a.example/hosts.toml`, server("new.example"));
    for (const [advanceMs, host] of [[6000, "old"], [3999, "old"], [2, "new"]] as const) {
      await lab.clock.advance(advanceMs);
      assert.deepEqual(await urls(), [`https://${host}.example/v2`]);
    }
  });
});

test("the headers of hosts.toml stand for local clients that show nothing", async () => {
  const header = (value: string) =>
    `server = "https://a.example"\n[header]\nX-Api-Key = "${value}"\n`;
  await withHosts({ "a.example": header("one"), "b.example": header("two") }, async (endpoints) => {
    const user = { username: "user", password: "secret" };
    const found = withConfiguredAccess(
      ({ repository }) => Promise.resolve(repository === "own" ? user : undefined),
      endpoints,
    );
    const ask = (registry: string, repository = "app") => found({ registry, repository });
    assert.deepEqual(await ask("a.example", "own"), user);
    const [a, b] = [await ask("a.example"), await ask("b.example")];
    assert.deepEqual({ ...a, configured: "" }, { username: "", password: "", configured: "" });
    assert.notEqual(a?.configured, b?.configured);
    assert.equal(await ask("c.example"), undefined);
    assert.equal(await ask("a:99999"), undefined);
  });
});

test("credentials belong to the server, not to the registry of the image", async () => {
  const files = {
    "k3sm.test": 'server = "http://127.0.2.1:17200"\n[host."http://127.0.2.3:17200"]\n',
    "127.0.2.3:17200": 'server = "https://elsewhere.example"\n',
  };
  const user = { username: "u", password: "p" };
  await withHosts(files, async (configured) => {
    const endpoints = withServerCredentials(
      configured,
      ({ host }) => Promise.resolve(host === "127.0.2.3:17200" ? user : undefined),
    );
    const shown = async (registry: string) =>
      (await endpoints(registry)).map(({ credentials }) => credentials);
    assert.deepEqual(await shown("k3sm.test"), [user, undefined]);
    assert.deepEqual(await shown("127.0.2.3:17200"), [undefined]);
    const access = withConfiguredAccess(undefined, endpoints);
    const found = await access({ registry: "k3sm.test", repository: "app" });
    assert.notEqual(found?.configured, undefined);
    assert.equal(await access({ registry: "127.0.2.3:17200", repository: "app" }), undefined);
  });
});
