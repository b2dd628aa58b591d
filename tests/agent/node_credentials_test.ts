import assert from "node:assert/strict";
import { openNodeFiles } from "../../lib/agent/node_credentials.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { startAgent } from "../../lib/agent/start_agent.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
// Opens what libp2p opens once for the whole process.
import "../router/cluster.ts";
import { configOf } from "../support/config_of.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { MANIFEST, TokenRegistry, USER } from "../upstream/token_registry.ts";

/** Two timers of libp2p 3.3 outlive `stop()` by a second (see tests/router/cluster.ts). */
const LIBRARY_TIMERS_MS = 1100;
const HUSH = "hush-hush-hush";
const REFERENCE = { registry: "r.example", repository: "app", tag: "v1" };
const SERVER = new URL("https://r.example/v2");

const docker = (password: string) =>
  JSON.stringify({ auths: { "r.example": { auth: btoa(`user:${password}`) } } });
const registries = (password: string) =>
  `configs:\n  r.example:\n    auth: {username: user, password: ${password}}\n`;

function rig() {
  return { clock: new FakeClock(), log: new MemoryLog() };
}

const unset = { dockerConfig: undefined, registriesFile: undefined };

test("node's credentials: files that are named, found, or not there", async () => {
  await inDirectory(async (directory) => {
    const [first, second] = [`${directory}/config.json`, `${directory}/registries.yaml`];
    await Deno.writeTextFile(first, docker("one"));
    await Deno.writeTextFile(second, registries("two"));
    const gone = `${directory}/gone`;
    const cases: [
      config: Parameters<typeof openNodeFiles>[0],
      places: string[],
      passwords: [image: string | undefined, server: string | undefined],
    ][] = [
      [{ ...unset, dockerConfig: first }, [], ["one", undefined]],
      [{ ...unset, registriesFile: second }, [], [undefined, "two"]],
      [{ dockerConfig: first, registriesFile: second }, [], ["one", "two"]],
      [unset, [gone, second], [undefined, "two"]],
      [{ ...unset, registriesFile: "none" }, [second], [undefined, undefined]],
      [unset, [gone], [undefined, undefined]],
    ];
    for (const [config, places, passwords] of cases) {
      const { clock, log } = rig();
      const files = await openNodeFiles(config, { clock, log }, places);
      assert.deepEqual(
        [await files.images?.(REFERENCE), await files.servers?.(SERVER)].map((each) =>
          each?.password
        ),
        passwords,
      );
      assert.equal(await files.images?.({ ...REFERENCE, registry: "other.example" }), undefined);
      assert.equal(await files.servers?.(new URL("https://other.example/v2")), undefined);
      assert.deepEqual(log.lines.filter(({ level }) => level !== "info"), []);
    }
  });
});

test("node's credentials: a bad file is one clear line, without its secrets", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/bad`;
    for (
      const [text, reason] of [
        [`{"auths": {"r.example": {"password": "${HUSH}"`, /it is not valid (JSON|YAML)/],
        [`[ "${HUSH}" ]`, /it is not an object/],
        ["x".repeat(1024 * 1024 + 1), /more than 1048576 bytes/],
      ] as const
    ) {
      await Deno.writeTextFile(path, text);
      for (
        const [flag, config] of [
          ["--docker-config", { ...unset, dockerConfig: path }],
          ["--registries-file", { ...unset, registriesFile: path }],
        ] as const
      ) {
        await assert.rejects(() => openNodeFiles(config, rig(), []), (error: Error) => {
          assert(error instanceof ConfigError);
          assert.match(error.message, new RegExp(`^${flag}: got .*bad.*`));
          assert.match(error.message, reason);
          assert(!error.message.includes(HUSH) && !error.message.includes("\n"), error.message);
          return true;
        });
      }
      const { clock, log } = rig();
      const found = await openNodeFiles(unset, { clock, log }, [path]);
      assert.equal(await found.servers?.(SERVER), undefined);
      assert.deepEqual(log.lines.map(({ level }) => level), ["warn"]);
      assert(!JSON.stringify(log.lines).includes(HUSH));
    }
    const missing = { ...unset, dockerConfig: `${directory}/gone` };
    await assert.rejects(() => openNodeFiles(missing, rig(), []), ConfigError);
    const none = { ...unset, registriesFile: directory };
    await assert.rejects(() => openNodeFiles(none, rig(), []), /it is not a file/);
  });
});

test("registries.yaml: values are text, and what is not used is named", async () => {
  const text = `mirrors:
  k3sm.test:
    endpoint: ["http://127.0.2.3:17200"]
    rewrite: {"^(.*)$": "hub/$1"}
configs:
  "127.0.2.3:17200": {auth: {username: u, password: p}}
  numpw.test: {auth: {username: u, password: 012345}}
  numuser.test: {auth: {username: 4711, password: secret}}
  boolpw.test: {auth: {username: u, password: yes}}
  datepw.test: {auth: {username: u, password: 2024-01-01}}
  pat.test: {auth: {auth: dckr_pat_abcdefghijklmnop}}
  "https://scheme.test/v2/": {auth: {username: u, password: p}}
  "*": {auth: {username: u, password: p}}
  emptyuser.test: {auth: {username: "", password: tok}}
  nulltls.test:
    tls: null
    auth:
  json.test:
    auth:
      username: _json_key
      password: '{"type": "service_account", "k": "a\\nb"}'
  anchor.test: &a
    auth: {username: u, password: p}
  alias.test: *a
  binary.test: {auth: {username: u, password: !!binary aGk=}}
  block.test:
    auth:
      username: u
      password: |-
        p#w
---
configs:
  next.test: {auth: {username: u, password: p}}
`;
  const expected: Record<string, [string, string] | undefined> = {
    "127.0.2.3:17200": ["u", "p"],
    "numpw.test": ["u", "012345"],
    "numuser.test": ["4711", "secret"],
    "boolpw.test": ["u", "yes"],
    "datepw.test": ["u", "2024-01-01"],
    "json.test": ["_json_key", '{"type": "service_account", "k": "a\\nb"}'],
    "anchor.test": ["u", "p"],
    "alias.test": ["u", "p"],
    "binary.test": ["u", "hi"],
    "block.test": ["u", "p#w"],
    "next.test": undefined,
    "k3sm.test": undefined,
    "scheme.test": undefined,
    "pat.test": undefined,
    "emptyuser.test": undefined,
    "nulltls.test": undefined,
  };
  await inDirectory(async (directory) => {
    const registriesFile = `${directory}/registries.yaml`;
    await Deno.writeTextFile(registriesFile, text);
    const { clock, log } = rig();
    const { servers } = await openNodeFiles({ ...unset, registriesFile }, { clock, log }, []);
    for (const [host, pair] of Object.entries(expected)) {
      const found = await servers?.(new URL(`https://${host}/v2`));
      assert.deepEqual(found && [found.username, found.password], pair, host);
    }
    const [warning, ...rest] = log.lines.filter(({ level }) => level === "warn");
    assert.deepEqual(rest, []);
    assert.deepEqual(warning?.fields["registries"], [
      ...["pat.test", "https://scheme.test/v2/", "*", "emptyuser.test"],
    ]);
  });
});

test("node's credentials: read again when they change; the last ones hold if that fails", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/config.json`;
    const { clock, log } = rig();
    await Deno.writeTextFile(path, docker("first"));
    const config = { ...unset, dockerConfig: path };
    const { images } = await openNodeFiles(config, { clock, log }, []);
    const password = async () => (await images?.(REFERENCE))?.password;
    await Deno.writeTextFile(path, docker(HUSH));
    assert.equal(await password(), "first", "not looked at again at once");
    await clock.advance(5000);
    assert.equal(await password(), HUSH);
    await Deno.writeTextFile(path, `{"auths": {"r.example": {"auth": "${HUSH}`);
    for (const _ of [1, 2]) {
      await clock.advance(5000);
      assert.equal(await password(), HUSH);
    }
    assert.equal(log.lines.filter(({ level }) => level === "warn").length, 1);
    await Deno.writeTextFile(path, docker("last"));
    await clock.advance(5000);
    assert.equal(await password(), "last");
    const text = JSON.stringify(log.lines);
    for (const secret of [HUSH, btoa(`user:${HUSH}`), btoa("user:last")]) {
      assert(!text.includes(secret), text);
    }
  });
});

test("an agent asks about a private tag with the node's own credentials", async () => {
  await using registry = new TokenRegistry({ closed: ["closed"] });
  await inDirectory(async (directory) => {
    const path = `${directory}/config.json`;
    const secret = btoa(`${USER.username}:${USER.password}`);
    await Deno.writeTextFile(
      path,
      JSON.stringify({ auths: { [registry.host]: { auth: secret } } }),
    );
    const writer = new OciLayoutWriter(`${directory}/layout`);
    await writer.init();
    await writer.putManifest(new TextEncoder().encode(MANIFEST), `${registry.host}/closed:v1`);
    for (const [flag, status] of [[`--docker-config=${path}`, 200], [undefined, 401]] as const) {
      const log = new MemoryLog();
      const args = [
        ...["--store", `oci-layout:${directory}/layout`, "--registries-file=none"],
        ...["--router-addr=127.0.0.1:0", "--registry-addr=127.0.0.1:0"],
        ...["--metrics-addr=127.0.0.1:0", "--log-level=debug"],
        `--mirrored-registries=${registry.host}`,
        ...["--bootstrap-kind=static", "--static-bootstrap-peers=127.0.0.1:1"],
        ...(flag === undefined ? [] : [flag]),
      ];
      const config = configOf("agent", args);
      const agent = await startAgent(config, {
        log,
        signal: new AbortController().signal,
        examine: () => Promise.resolve([]),
      });
      try {
        const before = registry.requests.length;
        const url = `${agent.url}/v2/closed/manifests/v1?ns=${registry.host}`;
        const response = await fetch(url);
        assert.equal(response.status, status);
        const text = await response.text();
        if (status === 200) assert.equal(text, MANIFEST);
        const asked = registry.requests.slice(before);
        assert.ok(asked.includes("HEAD /v2/closed/manifests/v1"), asked.join());
        const config = await (await fetch(`${agent.metricsUrl}/debug/api/config`)).text();
        const metrics = await (await fetch(`${agent.metricsUrl}/metrics`)).text();
        const seen = JSON.stringify(log.lines) + config + metrics + text;
        assert.ok(!seen.includes(`"${USER.password}"`) && !seen.includes(secret));
      } finally {
        await agent.stop();
        await systemClock.sleep(LIBRARY_TIMERS_MS);
      }
    }
  });
});
