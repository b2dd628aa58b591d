import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { PERMISSIONS } from "../../deploy/permissions.ts";
import { VERSION } from "../../lib/version.ts";
import { test, type TestContext, testWith } from "../support/test.ts";
import { eddyBinary } from "./lab/eddy_command.ts";
import { runCommand } from "./lab/run_command.ts";

/** Libraries of glibc, and of the compiler's for unwinding; the loader and the kernel's page. */
const GLIBC = /^(linux-vdso|libdl|libgcc_s|librt|libpthread|libm|libc|\S*\/ld-linux-[\w-]+)\.so/;

const cases: Record<string, (binary: string, t: TestContext) => Promise<void>> = {
  "tells version, commit and runtime": async (binary) => {
    const { stdout } = await runCommand([binary, "version"]);
    const [, version, commit] =
      /^eddy (\S+) \(commit (\S+), Deno \d+\.\d+\.\d+\)\n$/.exec(stdout) ??
        [];
    assert.equal(version, VERSION, stdout);
    assert.match(commit ?? "", /^[0-9a-f]{12}(-dirty)?$/);
  },
  "needs glibc and nothing else": async (binary) => {
    const { stdout } = await runCommand(["ldd", binary]);
    const needed = stdout.trim().split("\n").map((line) => line.trim());
    assert.deepEqual(needed.filter((line) => !GLIBC.test(line)), []);
    assert.ok(needed.some((line) => line.startsWith("libc.so")), stdout);
  },
  "neither reads nor writes what it is denied, whatever it is told": async (binary, t) => {
    for (
      const [name, args, error] of [
        ["reading /etc/shadow", ["agent", "--config", "/etc/shadow"], /read access to "\/etc\/sha/],
        [
          "writing below /proc",
          ["configure", "--containerd-registry-config-path", "/proc/eddy"],
          /write access to "\/proc\/eddy"/,
        ],
        [
          "writing below /usr/lib",
          ["configure", "--containerd-registry-config-path", "/usr/lib/eddy"],
          /write access to "\/usr\/lib\/eddy"/,
        ],
      ] as const
    ) {
      await t.step(name, async () => {
        const { code, stderr } = await runCommand([binary, ...args], { allowFailure: true });
        assert.equal(code, 2, stderr);
        assert.match(stderr, error);
        assert.equal(stderr.trim().split("\n").length, 1, stderr);
      });
    }
  },
  "looks for what to restore wherever nodes have it, though it may not see all of /etc": async (
    binary,
  ) => {
    const { code, stderr } = await runCommand([binary, "cleanup", "--dry-run"], {
      allowFailure: true,
    });
    assert.deepEqual([code, stderr], [0, ""]);
  },
  "was compiled with the permissions that are tested here": async (binary) => {
    const bytes = new TextDecoder("latin1").decode(await Deno.readFile(binary));
    const start = bytes.lastIndexOf('"permissions":{');
    const granted = bytes.slice(start, bytes.indexOf("}", start));
    for (const permission of PERMISSIONS) {
      const [, verb, kind, list] = /^--(allow|deny)-(\w+)(?:=(.*))?$/.exec(permission) ?? [];
      if (kind === undefined) continue;
      const names = list === undefined ? "[]" : JSON.stringify(list.split(","));
      assert.ok(granted.includes(`"${verb}_${kind}":${names}`), `${permission} in ${granted}`);
    }
    for (const kind of ["ffi", "run", "sys"]) {
      assert.ok(!granted.includes(`"allow_${kind}":[]`), `all of ${kind} granted`);
    }
    assert.ok(granted.includes('"allow_ffi":null'), granted);
  },
};

const binary = eddyBinary();
const missing = binary === undefined ? ["a compiled program (EDDY_BIN)"] : [];
for (const [name, run] of Object.entries(cases)) {
  testWith(missing, `e2e: the binary ${name}`, (t) => run(binary ?? "", t));
}

test("e2e: a program with the binary's permissions can do nothing else", async (t) => {
  const probe = fileURLToPath(new URL("lab/permission_probe.ts", import.meta.url));
  const argv = [Deno.execPath(), "run", "--no-config", "--no-lock", ...PERMISSIONS, probe];
  const { stdout } = await runCommand(argv);
  for (const [what, outcome] of Object.entries(JSON.parse(stdout) as Record<string, string>)) {
    await t.step(what, () => {
      if (what.startsWith("allowed: ")) assert.notEqual(outcome, "NotCapable");
      else assert.equal(outcome, "NotCapable");
    });
  }
});
