import assert from "node:assert/strict";
import { join } from "node:path";
import { runProgram } from "../support/run_program.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

const run = (...args: string[]) => runProgram(MAIN, ...args);

async function entries(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
}

test("run: bad configuration is one line on standard error, exit code 2, nothing written", async (t) => {
  await inDirectory(async (path) => {
    const certs = join(path, "certs.d");
    await Deno.writeTextFile(join(path, "no-socket"), "");
    const cases: [args: string[], message: RegExp][] = [
      [["--registry-addr", "nonsense"], /^eddy: --registry-addr: got "nonsense", want /],
      [["--no-such-flag"], /^eddy: unknown flag --no-such-flag/],
      [
        ["--containerd-sock", join(path, "none.sock")],
        /^eddy: --containerd-sock: got .* want the s/,
      ],
      [
        ["--containerd-sock", join(path, "no-socket")],
        /^eddy: --containerd-sock: got .* want the s/,
      ],
      [
        ["--registry-filters", "("],
        /^eddy: --registry-filters: got "\(", want a regular expression/,
      ],
      [
        ["--store", `oci-layout:${path}`, "--basic-auth-dir", path],
        /^eddy: --basic-auth-dir: got .* want a directory with the files username and password/,
      ],
      [["--store", "floppy"], /^eddy: --store: got "floppy", want containerd or oci-layout:PATH/],
      [["--store", `oci-layout:${path}/none`], /^eddy: --store: got .* want an existing directory/],
      [
        [
          ...["--store", `oci-layout:${path}`, "--bootstrap-kind", "static"],
          ...["--static-bootstrap-peers", "/ip4/nonsense"],
        ],
        /^eddy: --static-bootstrap-peers: .*malformed/,
      ],
      [
        ["--store", `oci-layout:${path}`, "--startup-taint", "a/b", "--node-name", "n1"],
        /^eddy: --kubeconfig: not set, want .*not in a pod/,
      ],
      [
        [
          ...["--store", `oci-layout:${path}`, "--bootstrap-kind", "kubernetes"],
          ...["--kubernetes-bootstrap-service", "eddy-bootstrap"],
        ],
        /^eddy: --kubeconfig: not set, want .*not in a pod/,
      ],
    ];
    for (const [args, message] of cases) {
      await t.step(args.join(" ").replaceAll(path, "…"), async () => {
        const flags = ["--containerd-registry-config-path", certs, ...args];
        const { code, stdout, stderr } = await run("agent", ...flags);
        assert.match(stderr, message);
        assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
        assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
        await assert.rejects(Deno.stat(certs), Deno.errors.NotFound);
      });
    }
  });
});

test("run: an address that is taken is named, exit code 2, nothing written", async () => {
  await inDirectory(async (path) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    const certs = join(path, "certs.d");
    for (const flag of ["registry", "router", "metrics"]) {
      const addresses = { registry: "127.0.0.1:0", router: "127.0.0.1:0", metrics: "127.0.0.1:0" };
      const given = Object.entries({ ...addresses, [flag]: `127.0.0.1:${port}` })
        .flatMap(([name, address]) => [`--${name}-addr`, address]);
      const { code, stderr } = await run(
        ...["agent", "--log-level", "error", "--store", `oci-layout:${path}`, ...given],
        ...["--containerd-registry-config-path", certs],
      );
      assert.match(stderr, new RegExp(`127.0.0.1[:/a-z]*${port}`), flag);
      assert.equal(code, 2, `${flag}: ${stderr}`);
      await assert.rejects(Deno.stat(certs), Deno.errors.NotFound);
    }
  });
});

test("run: configure, a second time, dry run, cleanup", async () => {
  await inDirectory(async (path) => {
    const certs = ["--containerd-registry-config-path", path];
    const dry = await run("configure", "--dry-run", ...certs);
    assert.equal(dry.code, 0);
    assert.match(dry.stdout, /^\+\[host\."http:\/\/127\.0\.0\.1:5000"\]$/m);
    assert.deepEqual(await entries(path), []);
    assert.match((await run("configure", ...certs)).stdout, /^wrote .*_default\/hosts\.toml\n$/);
    assert.equal((await run("configure", ...certs)).stdout, "nothing to change\n");
    assert.match((await run("cleanup", ...certs)).stdout, /^removed .*_default\/hosts\.toml\n$/);
    assert.deepEqual(await entries(path), []);
    assert.equal((await run("cleanup", ...certs)).stdout, "nothing to change\n");
  });
});

test("run: help and version; Spegel's names of commands are understood", async () => {
  assert.match((await run()).stdout, /^Usage: eddy COMMAND/);
  assert.match((await run("help", "agent")).stdout, /--registry-addr HOST:PORT/);
  assert.match((await run("agent", "--help")).stdout, /--registry-addr HOST:PORT/);
  assert.match((await run("configuration", "--help")).stdout, /^Usage: eddy configure/);
  assert.match((await run("version")).stdout, /^eddy \d+\.\d+\.\d+ \(commit \S+, Deno /);
  const unknown = await run("fly");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /^eddy: unknown command "fly", want one of agent, /);
});
