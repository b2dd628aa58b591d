import assert from "node:assert/strict";
import { createBootstrap } from "../../lib/agent/bootstrap.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { configOf } from "../support/config_of.ts";
import { test } from "../support/test.ts";

const NAMED = ["--bootstrap-kind", "static", "--static-bootstrap-peers", "10.0.0.1"];
const TLS = ["--peer-tls-dir", "/tls"];

const CASES: readonly {
  readonly flags: readonly string[];
  readonly key?: string;
  readonly byName: boolean;
  readonly warns?: boolean;
}[] = [
  { flags: NAMED, byName: true },
  { flags: [], byName: true },
  { flags: NAMED, key: "k".repeat(40), byName: false },
  { flags: [...NAMED, "--tag-policy", "peer"], byName: false },
  { flags: [...NAMED, "--tag-policy", "off"], byName: false },
  { flags: [...NAMED, "--resolve-tags=false"], byName: false },
  { flags: [...NAMED, ...TLS], byName: false },
  { flags: [...NAMED, ...TLS, "--peer-tls-mode", "prefer"], byName: true },
  { flags: ["--bootstrap-kind", "mdns"], byName: true, warns: true },
  { flags: ["--bootstrap-kind", "mdns", ...TLS], byName: false },
  { flags: ["--bootstrap-kind", "mdns", "--tag-policy", "peer"], byName: false },
];

for (const { flags, key, byName, warns = false } of CASES) {
  const what = [...flags, ...(key === undefined ? [] : ["and a key"])].join(" ");
  test(`tags are ${byName ? "" : "not "}believed by name: ${what || "default"}`, async () => {
    const config = configOf("agent", flags);
    const log = new MemoryLog();
    const { bootstrapper, trustedAddresses } = createBootstrap(config, {
      kubernetes: () => assert.fail(),
      keys: key === undefined ? undefined : [key],
      clock: new FakeClock(),
      log,
    });
    assert.equal(trustedAddresses !== undefined, byName);
    assert.equal(log.lines.some(({ level }) => level === "warn"), warns);
    if (!byName || !flags.includes("static")) return;
    await bootstrapper.get({ signal: new AbortController().signal });
    assert.deepEqual(["10.0.0.1", "10.0.0.2"].map((ip) => trustedAddresses?.isTrusted(ip)), [
      true,
      false,
    ]);
  });
}
