import assert from "node:assert/strict";
import { checkContainerdFile } from "../../lib/commands/doctor/containerd_file.ts";
import { withFiles } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const TLS = `version = 2
[plugins."io.containerd.grpc.v1.cri".registry.configs."harbor.example".tls]
  insecure_skip_verify = true
`;
const PATH = `[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "/etc/containerd/certs.d"
`;
const MIRRORS = `[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
endpoint = ["https://mirror.example"]
`;

test("doctor: TLS settings beside config_path stop containerd 1.x, and are nothing to 2.x", async () => {
  const both = `${TLS}${PATH}`;
  const apart = { "config.toml": `imports = ["conf.d/*.toml"]\n${PATH}`, "conf.d/tls.toml": TLS };
  for (const files of [{ "config.toml": both }, apart]) {
    await withFiles(files, async (directory) => {
      const state = async (version: string) => {
        const { check } = await checkContainerdFile(`${directory}/config.toml`, version);
        assert.match(
          check.detail,
          /registry\.configs with tls for harbor\.example beside config_path/,
        );
        assert.match(check.fix, /hosts\.toml/);
        return [check.state, check.detail.split(": ").at(-1)];
      };
      const old = ["failed", "containerd 1.6 and 1.7 do not load their CRI plugin then"];
      assert.deepEqual(await state("1.6.20~ds1"), old);
      assert.deepEqual(await state("v1.7.29"), old);
      assert.deepEqual(await state("2.4.2"), ["warning", "containerd 2.4.2 does not use them"]);
    });
  }
  await withFiles({ "config.toml": TLS }, async (directory) => {
    const { check } = await checkContainerdFile(`${directory}/config.toml`, "1.7.29");
    assert.equal(check.state, "ok");
  });
});

test("doctor: files that imported files import, and patterns for directories", async () => {
  const main = (pattern: string) => `imports = ["${pattern}", "gone.toml", "["]\n${PATH}`;
  const cases: [pattern: string, found: boolean][] = [
    ["conf.d/*.toml", true],
    ["./conf.d/m*s.toml", true],
    ["*/mirrors.toml", true],
    ["c*.d/m*.toml", true],
    ["more/next.toml", true],
    ["conf.d/*.conf", false],
    ["conf?d/*.toml", false],
  ];
  for (const [pattern, found] of cases) {
    const files = {
      "config.toml": main(pattern),
      "conf.d/mirrors.toml": MIRRORS,
      // In a circle, and relative to itself.
      "more/next.toml": 'imports = ["../config.toml", "../conf.d/*.toml"]\n',
    };
    await withFiles(files, async (directory) => {
      const { check } = await checkContainerdFile(`${directory}/config.toml`, "2.4.2");
      assert.equal(check.state, found ? "failed" : "ok", pattern);
      if (found) {
        assert.match(check.detail, /conf\.d\/mirrors\.toml has registry\.mirrors for docker/);
      }
    });
  }
});

test("doctor: a file that is not there is left out, one that containerd cannot read is named", async () => {
  await withFiles({ "config.toml": "[plugins\n" }, async (directory) => {
    const state = async (name: string) =>
      (await checkContainerdFile(`${directory}/${name}`, "2.4.2")).check.state;
    assert.deepEqual([await state("gone.toml"), await state("config.toml")], ["skipped", "failed"]);
  });
});
