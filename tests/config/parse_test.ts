import assert from "node:assert/strict";
import { ConfigError } from "../../lib/config/config_error.ts";
import type { CommandName } from "../../lib/config/option.ts";
import type { Config } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { test } from "../support/test.ts";

interface Given {
  command?: CommandName;
  args?: string[];
  env?: Record<string, string>;
  file?: string;
}

function parse({ command = "agent", args = [], env = {}, file }: Given): Config {
  const readFile = () => {
    if (file === undefined) throw new Error("no such file");
    return file;
  };
  return parseConfig({ command, args, env, readFile });
}

test("config: defaults", () => {
  const config = parse({});
  assert.deepEqual(config.registryAddr, { host: "", port: 5000 });
  assert.equal(config.containerdNamespace, "k8s.io");
  assert.equal(config.prependExisting, true);
  assert.equal(config.mirrorResolveTimeout, 20);
  assert.equal(config.bootstrapKind, undefined);
  assert.deepEqual(config.mirroredRegistries, []);
});

test("config: flags go before the environment, that before the file, that before defaults", () => {
  const file = "router-addr: ':1'\nmetrics-addr: ':2'\nregistry-addr: ':3'\n";
  const env = { METRICS_ADDR: ":20", REGISTRY_ADDR: ":30" };
  const config = parse({ args: ["--config", "x.yaml", "--registry-addr", ":300"], env, file });
  assert.equal(config.routerAddr.port, 1);
  assert.equal(config.metricsAddr.port, 20);
  assert.equal(config.registryAddr.port, 300);
});

test("config: additional mirrors are URLs or maps, as text and in the file", () => {
  const harbor = {
    ...{ url: "https://harbor.example/v2/hub", ca: ["/etc/harbor.crt"], skipVerify: true },
    header: { "X-Site": ["1", "2"] },
  };
  const map = "{url: https://harbor.example/v2/hub/, ca: /etc/harbor.crt, skip_verify: true, " +
    "header: {X-Site: [1, 2]}}";
  const want = ["http://zot:5000", harbor];
  const file = `additional-mirror-registries:\n- zot:5000\n- ${map}\n`;
  const cases: Given[] = [
    { args: ["--additional-mirror-registries", "zot:5000", map] },
    { env: { ADDITIONAL_MIRROR_REGISTRIES: `zot:5000, ${map}` } },
    { args: ["--config", "x.yaml"], file },
  ];
  for (const given of cases) assert.deepEqual(parse(given).additionalMirrorRegistries, want);
  const json = JSON.stringify({ url: "http://a", header: { X: ['} "],{(', "\\"] } });
  const { additionalMirrorRegistries: [odd, next] } = parse({
    args: ["--additional-mirror-registries", `${json},http://b`],
  });
  assert.deepEqual(odd, {
    ...{ url: "http://a", ca: [], skipVerify: false },
    header: { X: ['} "],{(', "\\"] },
  });
  assert.equal(next, "http://b");
  for (const bad of ["{url: ftp://x}", "{ca: /a}", "{url: http://a, insecure: true}", "{{"]) {
    const args = ["--additional-mirror-registries", bad];
    const hint = /--additional-mirror-registries: got "a map", want a URL such as .* or a map/;
    assert.throws(() => parse({ args }), hint);
  }
});

test("config: a value in the file is the text that is there", () => {
  for (const value of ["012345", "yes", "1.10", "0x10", "2024-01-01", "~x"]) {
    const args = ["--config", "x.yaml"];
    const config = parse({ args, file: `containerd-namespace: ${value}\n` });
    assert.equal(config.containerdNamespace, value);
  }
});

test("config: lists are separated by blanks or commas, repeated, or a list in the file", async (t) => {
  const want = ["docker.io", "ghcr.io", "quay.io:8443"];
  const cases: Record<string, Given> = {
    "following arguments": { args: ["--mirrored-registries", ...want, "--log-level", "info"] },
    commas: { args: ["--mirrored-registries", want.join(",")] },
    repeated: { args: want.flatMap((host) => ["--mirrored-registries", host]) },
    "inline, then following": { args: [`--mirrored-registries=${want[0]}`, ...want.slice(1)] },
    environment: { env: { MIRRORED_REGISTRIES: want.join(" ") } },
    file: {
      args: ["--config", "x"],
      file: `mirrored-registries: [docker.io, ghcr.io, "quay.io:8443"]`,
    },
    slashes: {
      args: ["--mirrored-registries", "docker.io/", "ghcr.io/", "quay.io:8443/"],
    },
  };
  for (const [name, given] of Object.entries(cases)) {
    await t.step(name, () => assert.deepEqual(parse(given).mirroredRegistries, want));
  }
});

test("config: regular expressions keep commas within braces and know Go's (?i)", () => {
  const { registryFilters } = parse({ env: { REGISTRY_FILTERS: "^a{1,3}$ [,b] (?i)LATEST$" } });
  assert.deepEqual(registryFilters, ["^a{1,3}$", "[,b]", "(?i)LATEST$"]);
});

test("config: switches", () => {
  assert.equal(parse({ args: ["--resolve-tags=false"] }).resolveTags, false);
  assert.equal(parse({ args: ["--resolve-tags"] }).resolveTags, true);
  assert.equal(parse({ env: { PREPEND_EXISTING: "FALSE" } }).prependExisting, false);
});

test("config: durations", async (t) => {
  const cases: Record<string, number> = { "20ms": 20, "2s": 2000, "1m30s": 90_000, "1.5s": 1500 };
  for (const [text, ms] of Object.entries(cases)) {
    await t.step(text, () => {
      assert.equal(parse({ args: ["--mirror-resolve-timeout", text] }).mirrorResolveTimeout, ms);
    });
  }
});

test("config: rates are in bits, and kept in bytes per second", () => {
  const cases: Record<string, number> = {
    "500Mbps": 62_500_000,
    "1gbps": 125_000_000,
    "1.5 Gbps": 187_500_000,
    "64kbps": 8000,
    "64000bps": 8000,
  };
  for (const [text, bytes] of Object.entries(cases)) {
    assert.equal(parse({ args: ["--upload-limit", text] }).uploadLimit, bytes, text);
  }
  assert.equal(parse({}).uploadLimit, undefined);
  for (const text of ["500", "500MB", "0bps", "-1Mbps", "63kbps", "fast", "9999999Gbps"]) {
    assert.throws(
      () => parse({ args: ["--download-limit", text] }),
      /^ConfigError: --download-limit: got ".*", want a rate such as 500Mbps/,
      text,
    );
  }
});

test("config: sizes are in bytes, with units of 1000 or 1024", () => {
  const cases: Record<string, number> = {
    "0": 0,
    "32MiB": 32 * 1024 ** 2,
    "64 mb": 64_000_000,
    "1.5GiB": 1.5 * 1024 ** 3,
    "1000": 1000,
    "8kb": 8000,
    "8KiB": 8192,
  };
  for (const [text, bytes] of Object.entries(cases)) {
    assert.equal(parse({ args: ["--verify-whole-limit", text] }).verifyWholeLimit, bytes, text);
  }
  assert.equal(parse({}).verifyWholeMemory, 128 * 1024 ** 2);
  for (const text of ["", "-1", "32M", "32Mbps", "many", "65GiB", "1e9"]) {
    assert.throws(
      () => parse({ args: ["--verify-whole-memory", text] }),
      /^ConfigError: --verify-whole-memory: got ".*", want a size such as 32MiB/,
      text,
    );
  }
});

test("config: every mistake is one line that names option, value and remedy", async (t) => {
  const cases: [Given, RegExp][] = [
    [{ args: ["--registry-addr", "nonsense"] }, /^--registry-addr: got "nonsense", want .*:5000/],
    [{ args: ["--registry-addr", ":70000"] }, /^--registry-addr: got ":70000", want/],
    [{ args: ["--registry-addr", "1.2.3.4.5:1"] }, /^--registry-addr: got/],
    [{ args: ["--registry-addr"] }, /^--registry-addr: got no value, want HOST:PORT/],
    [{ args: ["--data-dir", "--log-level"] }, /^--data-dir: got no value/],
    [
      { args: ["--registy-addr", ":1"] },
      /^unknown flag --registy-addr .*did you mean --registry-addr/,
    ],
    [{ args: ["--zzz"] }, /^unknown flag --zzz for eddy agent, see eddy help agent/],
    [{ args: ["-x"] }, /^unknown flag -x/],
    [{ args: ["stray"] }, /^unexpected argument "stray"/],
    [{ args: ["--log-level", "info", "stray"] }, /^unexpected argument "stray"/],
    [{ args: ["--resolve-tags=perhaps"] }, /^--resolve-tags: got "perhaps", want true or false/],
    [
      { args: ["--mirror-resolve-timeout", "20"] },
      /^--mirror-resolve-timeout: got "20", want a dur/,
    ],
    [
      { args: ["--mirror-resolve-retries", "0"] },
      /^--mirror-resolve-retries: got "0", want a whole/,
    ],
    [
      { args: ["--mirrored-registries", "a b/c"] },
      /^--mirrored-registries: got "b\/c", want a reg/,
    ],
    [{ env: { LOG_LEVEL: "loud" } }, /^LOG_LEVEL \(environment\): got "loud", want one of debug/],
    [{ args: ["--config", "gone.yaml"] }, /^--config: got "gone.yaml", want a readable YAML file/],
    [{ args: ["--config", "x"], file: "a: [" }, /^--config: got "x", want a readable YAML file/],
    [{ args: ["--config", "x"], file: "- a" }, /^--config: got "x", want a YAML file of option/],
    [
      { args: ["--config", "x"], file: "registry-adr: 1" },
      /^unknown key "registry-adr" in x, did y/,
    ],
    [{ args: ["--config", "x"], file: "log-level: 7" }, /^log-level \(x\): got "7", want one of/],
    [
      { args: ["--config", "x"], file: "log-level: {a: 1}" },
      /^log-level \(x\): got \{"a":"1"\}, want/,
    ],
    [{ args: ["--bootstrap-kind", "dns"] }, /^--dns-bootstrap-domain: not set, want a domain/],
    [
      { args: ["--dht-closed"] },
      /^--cluster-key-file: not set, want a file with the cluster's key/,
    ],
    [{ args: ["--bootstrap-kind", "static"] }, /^--static-bootstrap-peers: not set/],
    [{ args: ["--bootstrap-kind", "http"] }, /^--http-bootstrap-url: not set/],
    [
      { args: ["--bootstrap-kind", "kubernetes"] },
      /^--kubernetes-bootstrap-service: not set, want the name of a headless/,
    ],
    [{ args: ["--startup-taint", "eddy/starting"] }, /^--node-name: not set, .*--startup-taint/],
    [{ args: ["--node-topology"] }, /^--node-name: not set, .*--node-topology is set/],
    [
      { command: "cleanup", args: ["--router-addr", ":1"] },
      /^unknown flag --router-addr for eddy cle/,
    ],
  ];
  for (const [given, message] of cases) {
    await t.step(JSON.stringify(given), () => {
      assert.throws(() => parse(given), (error) => {
        assert(error instanceof ConfigError);
        assert.match(error.message, message);
        assert(!error.message.includes("\n"));
        return true;
      });
    });
  }
});

test("config: an IPv6 address before a port may lack its brackets, as in Kubernetes", async (t) => {
  const cases = [
    ["http://fd00::1:30020", "http://[fd00::1]:30020"],
    ["fd00:1:2:3:4:5:6:7:30020", "http://[fd00:1:2:3:4:5:6:7]:30020"],
    ["http://[fd00::1]:30020", "http://[fd00::1]:30020"],
    ["http://10.0.0.1:30020", "http://10.0.0.1:30020"],
    ["mirror:5000", "http://mirror:5000"],
  ];
  for (const [given = "", want] of cases) {
    await t.step(given, () => {
      assert.deepEqual(parse({ args: ["--mirror-targets", given] }).mirrorTargets, [want]);
    });
  }
});
