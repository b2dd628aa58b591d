import assert from "node:assert/strict";
import { checkContainerd, needsLease, type PreflightSettings } from "../../lib/agent/preflight.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import type { ContainerdProbe } from "../../lib/store/containerd/probe_containerd.ts";
import { test } from "../support/test.ts";

const GOOD: ContainerdProbe = {
  reachable: true,
  version: "2.4.2",
  content: { state: "readable", path: "/var/lib/containerd/content" },
  cri: { registryConfigPaths: ["/etc/containerd/certs.d"], discardUnpackedLayers: false },
  criError: undefined,
};
/** A containerd that is right but for its layers. */
const DISCARDS = {
  registryConfigPaths: ["/etc/containerd/certs.d"],
  discardUnpackedLayers: true,
};
const SETTINGS = { registryConfigPath: "/etc/containerd/certs.d/", contentPathGiven: false };
const UNREADABLE = { state: "unreadable", path: "/content", error: "permission denied" } as const;
const FOREIGN = { state: "foreign", path: "/content", digest: "sha256:abc" } as const;

function cri(...registryConfigPaths: string[]): Partial<ContainerdProbe> {
  return { cri: { registryConfigPaths, discardUnpackedLayers: false } };
}

test("preflight: what is wrong ends the start and says what to set", async (t) => {
  const cases: [Partial<ContainerdProbe>, Partial<PreflightSettings>, RegExp][] = [
    [{ version: "1.5.18" }, {}, /containerd is version 1\.5\.18: want 1\.6 or newer/],
    [cri(), {}, /2\.4\.2 reads registry hosts from no directory.*io\.containerd\.cri\.v1\.images/],
    [
      { ...cri("/etc/docker/certs.d"), version: "1.6.20~ds1" },
      {},
      /from \/etc\/docker\/certs\.d, not from .*config_path = .*io\.containerd\.grpc\.v1\.cri/,
    ],
    [
      { cri: DISCARDS },
      { keepLayers: "never" },
      /set --keep-layers auto, or discard_unpacked_layers = false in section .*cri\.v1\.images/,
    ],
    [{ content: UNREADABLE }, { contentPathGiven: true }, /--containerd-content-path: .*denied/],
    [{ content: FOREIGN }, { contentPathGiven: true }, /--containerd-content-path: .*sha256:abc/],
  ];
  for (const [probe, settings, message] of cases) {
    await t.step(String(message), () => {
      assert.throws(
        () => checkContainerd({ ...GOOD, ...probe }, { ...SETTINGS, ...settings }),
        (error) => error instanceof ConfigError && message.test(error.message),
      );
    });
  }
});

test("preflight: a lease is made where containerd discards layers, or is told to", () => {
  const cases: [discards: boolean | undefined, auto: boolean][] = [
    [true, true],
    [false, false],
    [undefined, false],
  ];
  for (const [discards, auto] of cases) {
    assert.equal(needsLease(discards, "auto"), auto);
    assert.equal(needsLease(discards, "always"), true);
    assert.equal(needsLease(discards, "never"), false);
  }
});

test("preflight: what only costs speed or certainty is a remark", async (t) => {
  const cases: [string, Partial<ContainerdProbe>, RegExp | undefined][] = [
    ["all good", {}, undefined],
    ["content unreadable", { content: UNREADABLE }, /through containerd's socket/],
    ["content of another", { content: FOREIGN }, /through containerd's socket/],
    ["content unknown", { content: { state: "unknown" } }, /through containerd's socket/],
    ["no CRI", { cri: undefined }, /no CRI plugin/],
    [
      "second directory",
      { ...cri("/a", "/etc/containerd/certs.d"), version: "1.7.28" },
      /from \/a before/,
    ],
    ["first of several", { ...cri("/etc/containerd/certs.d", "/a"), version: "1.7.28" }, undefined],
    [
      "several and the transfer service",
      cri("/etc/containerd/certs.d", "/a"),
      /several directories.*no mirror is used: set config_path = "\/etc.*use_local_image_pull/,
    ],
    [
      "no telling of config_path",
      { cri: { registryConfigPaths: undefined, discardUnpackedLayers: false } },
      /does not report its config_path/,
    ],
    [
      "no telling of layers",
      { cri: { ...DISCARDS, discardUnpackedLayers: undefined } },
      /does not report discard_unpacked_layers: set --keep-layers always/,
    ],
    ["a lease keeps layers", { cri: DISCARDS }, undefined],
  ];
  for (const [name, probe, remark] of cases) {
    await t.step(name, () => {
      const remarks = checkContainerd({ ...GOOD, ...probe }, SETTINGS);
      assert.equal(remarks.length, remark === undefined ? 0 : 1);
      if (remark !== undefined) assert.match(remarks[0] ?? "", remark);
    });
  }
});
