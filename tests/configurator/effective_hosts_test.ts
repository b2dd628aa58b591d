import assert from "node:assert/strict";
import { parseContainerdConfig } from "../../lib/configurator/containerd_config.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { effectiveHosts } from "../../lib/configurator/effective_hosts.ts";
import { test } from "../support/test.ts";
import { withTree } from "./tree.ts";

const FILE = 'server = "https://up"\n[host."http://a"]\n[host."http://b"]\n';

test("effective hosts: the directory that containerd takes", async (t) => {
  const cases: [
    name: string,
    files: Record<string, string>,
    registry: string,
    directory: string | undefined,
  ][] = [
    ["nothing at all", {}, "docker.io", undefined],
    ["its own", { "a/docker.io/hosts.toml": FILE }, "docker.io", "a/docker.io"],
    ["the default one", { "a/_default/hosts.toml": FILE }, "docker.io", "a/_default"],
    [
      "its own before the default one",
      { "a/docker.io/ca.crt": "", "a/_default/hosts.toml": FILE },
      "docker.io",
      "a/docker.io",
    ],
    [
      "the first directory's default before the second's own",
      { "a/_default/hosts.toml": FILE, "b/docker.io/hosts.toml": FILE },
      "docker.io",
      "a/_default",
    ],
    [
      "the second directory's",
      { "a/quay.io/hosts.toml": FILE, "b/docker.io/hosts.toml": FILE },
      "docker.io",
      "b/docker.io",
    ],
    [
      "a port without a colon first",
      { "a/reg_5000_/hosts.toml": FILE, "a/reg:5000/hosts.toml": FILE },
      "reg:5000",
      "a/reg_5000_",
    ],
    ["a port with a colon", { "a/reg:5000/hosts.toml": FILE }, "reg:5000", "a/reg:5000"],
  ];
  for (const [name, files, registry, directory] of cases) {
    await t.step(name, () =>
      withTree(files, async (root) => {
        const found = await effectiveHosts(denoFileSystem, [`${root}/a`, `${root}/b`], registry);
        assert.equal(found?.directory, directory && `${root}/${directory}`);
      }));
  }
});

test("effective hosts: what is in it", async (t) => {
  const cases: [files: Record<string, string>, hosts: string[], problem: boolean][] = [
    [{ "a/r/hosts.toml": FILE }, ["http://a", "http://b"], false],
    [{ "a/r/hosts.toml": "" }, [], false],
    [{ "a/r/ca.crt": "" }, [], false],
    [{ "a/r/hosts.toml": "[host" }, [], true],
    [{ "a/r/hosts.toml": "host = 1" }, [], true],
    [{ "a/r/hosts.toml": `${FILE}capabilities = ["pul"]\n` }, [], true],
    [{ "a/r/hosts.toml": `skip_verify = "yes"\n${FILE}` }, [], true],
  ];
  for (const [files, hosts, problem] of cases) {
    await t.step(JSON.stringify(files), () =>
      withTree(files, async (root) => {
        const found = await effectiveHosts(denoFileSystem, [`${root}/a`], "r");
        assert.deepEqual([found?.hosts, found?.problem !== undefined], [hosts, problem]);
      }));
  }
});

test("containerd's configuration file: what passes Eddy by", () => {
  const first =
    '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = []\n';
  const second =
    "[plugins.'io.containerd.cri.v1.images'.registry.mirrors.'quay.io']\nendpoint = []\n";
  const local = "[plugins.'io.containerd.cri.v1.images']\nuse_local_image_pull = true\n";
  const cases: [text: string, mirrors: string[], local: boolean | undefined, imports: string[]][] =
    [
      ["", [], undefined, []],
      ["version = 3\n", [], undefined, []],
      [first, ["docker.io"], undefined, []],
      [second, ["quay.io"], undefined, []],
      [local, [], true, []],
      [local.replace("true", "false"), [], false, []],
      ['imports = ["/etc/containerd/conf.d/*.toml"]\n', [], undefined, [
        "/etc/containerd/conf.d/*.toml",
      ]],
      ["[plugins.cri.registry.mirrors.'gcr.io']\nendpoint = []\n", ["gcr.io"], undefined, []],
      ["plugins = 1\nimports = 2\n", [], undefined, []],
    ];
  for (const [text, mirrors, localImagePull, imports] of cases) {
    const found = parseContainerdConfig(text);
    assert.deepEqual(
      [found.mirrors, found.localImagePull, found.imports],
      [mirrors, localImagePull, imports],
      text,
    );
  }
  const tls = `version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".registry.configs."harbor.example".tls]
    insecure_skip_verify = true
  [plugins."io.containerd.grpc.v1.cri".registry.configs."quay.example".auth]
    username = "admin"
`;
  const { configPath, tlsHosts } = parseContainerdConfig(tls);
  assert.deepEqual([configPath, tlsHosts], ["/etc/containerd/certs.d", ["harbor.example"]]);
  assert.throws(() => parseContainerdConfig("[a\n"), /^Error: [^\n]+$/);
});
