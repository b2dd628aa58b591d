import assert from "node:assert/strict";
import { cleanupCommand } from "../../lib/commands/cleanup.ts";
import { cleanupWaitCommand } from "../../lib/commands/cleanup_wait.ts";
import { configureCommand } from "../../lib/commands/configure.ts";
import { DATA_FILES } from "../../lib/commands/remove_data.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { configOf } from "../support/config_of.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

function io(signal: AbortSignal) {
  const written: string[] = [];
  const write = (text: string) => void written.push(text);
  return { written, stdout: write, stderr: write, isTerminal: false, env: {}, signal };
}

/** The port at which a command says that it answers. */
async function portOf({ written }: { readonly written: readonly string[] }): Promise<string> {
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const port = /on 127\.0\.0\.1:(\d+)/.exec(written.join(""))?.[1];
    if (port !== undefined) return port;
  }
}

/** Only what the test made, not the containerd of the machine. */
function placeOf(certs: string): string[] {
  return ["--containerd-registry-config-path", certs, "--containerd-sock", `${certs}/none.sock`];
}

function waitConfig(...args: string[]) {
  return configOf("cleanup-wait", args);
}

test("cleanup answers probes once it is done, and cleanup-wait sees it", async () => {
  const certs = await Deno.makeTempDir({ prefix: "eddy-cleanup-" });
  const stop = new AbortController();
  try {
    const cleaning = io(stop.signal);
    const args = [...placeOf(certs), "--addr", "127.0.0.1:0"];
    const cleanup = cleanupCommand(configOf("cleanup", args), cleaning);
    const port = await portOf(cleaning);
    for (const [path, status] of [["/readyz", 200], ["/", 404], ["/v2/", 404]] as const) {
      const response: Response = await fetch(`http://127.0.0.1:${port}${path}`);
      await response.body?.cancel();
      assert.equal(response.status, status, path);
    }
    const waiting = io(stop.signal);
    const endpoint = ["--probe-endpoint", `127.0.0.1:${port}`, "--period", "1ms"];
    assert.equal(await cleanupWaitCommand(waitConfig(...endpoint), waiting), 0);
    assert.match(waiting.written.join(""), /\(1 of 3\)[^]*\(2 of 3\)[^]*\(3 of 3\)/);
    stop.abort();
    assert.equal(await cleanup, 0);
  } finally {
    stop.abort();
    await Deno.remove(certs, { recursive: true });
  }
});

test("cleanup that is undone by an agent which still runs is not done, and done again", async () => {
  const certs = await Deno.makeTempDir({ prefix: "eddy-cleanup-" });
  const stop = new AbortController();
  const configArgs = ["--containerd-registry-config-path", certs];
  const configure = configOf("configure", configArgs);
  try {
    await configureCommand(configure, io(stop.signal));
    const cleaning = io(stop.signal);
    const args = [...placeOf(certs), "--addr", "127.0.0.1:0"];
    const cleanup = cleanupCommand(configOf("cleanup", args), cleaning);
    const port = await portOf(cleaning);
    const probe = async () => {
      const response: Response = await fetch(`http://127.0.0.1:${port}/readyz`);
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await probe(), 200);
    await configureCommand(configure, io(stop.signal));
    assert((await Array.fromAsync(Deno.readDir(certs))).length > 0);
    assert.deepEqual([await probe(), await probe()], [503, 200]);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(certs)), []);
    stop.abort();
    assert.equal(await cleanup, 0);
  } finally {
    stop.abort();
    await Deno.remove(certs, { recursive: true });
  }
});

test("cleanup removes Eddy's files of the data directory, and nothing else there", async () => {
  await using root = await tempDirectory();
  const data = `${root.path}/data`;
  const certs = `${root.path}/certs.d`;
  const fill = async (...names: string[]) => {
    await Deno.mkdir(data, { recursive: true });
    for (const name of names) await Deno.writeTextFile(`${data}/${name}`, name);
  };
  const left = async () => (await Array.fromAsync(Deno.readDir(data))).map(({ name }) => name);
  const cleanup = async (...args: string[]) => {
    const command = io(new AbortController().signal);
    const paths = ["--containerd-registry-config-path", certs, "--data-dir", data];
    assert.equal(await cleanupCommand(configOf("cleanup", [...paths, ...args]), command), 0);
    return command.written.join("");
  };
  await fill(...DATA_FILES, "yours.txt");
  assert.match(await cleanup("--dry-run"), /^remove .*\/private\.key$/m);
  assert.equal((await left()).length, DATA_FILES.length + 1);
  assert.match(await cleanup(), /^removed .*\/private\.key$/m);
  assert.deepEqual(await left(), ["yours.txt"]);
  await Deno.remove(`${data}/yours.txt`);
  await fill(...DATA_FILES);
  await cleanup();
  await assert.rejects(Deno.stat(data), Deno.errors.NotFound, "the directory was Eddy's alone");
  assert.doesNotMatch(await cleanup(), /private/);
});

test("cleanup-wait waits for a node that is not done, and starts to count anew", async () => {
  const answers = [200, 503, 200, 200];
  const abort = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: abort.signal },
    () => new Response(null, { status: answers.shift() ?? 200 }),
  );
  const { written, ...rest } = io(new AbortController().signal);
  const endpoint = ["--probe-endpoint", `127.0.0.1:${server.addr.port}`];
  const config = waitConfig(...endpoint, "--period", "1ms", "--threshold", "2");
  assert.equal(await cleanupWaitCommand(config, { ...rest }), 0);
  assert.deepEqual(answers, []);
  assert.match(written.join(""), /not yet: 1 of 1 nodes: 127\.0\.0\.1 \(status 503\)/);
  abort.abort();
  await server.finished;
});

test("cleanup-wait told to stop has not succeeded", async () => {
  const stop = new AbortController();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const config = waitConfig("--probe-endpoint", `127.0.0.1:${port}`, "--period", "1h");
  const { written, ...rest } = io(stop.signal);
  const waiting = cleanupWaitCommand(config, {
    ...rest,
    stderr(text) {
      written.push(text);
      stop.abort();
    },
  });
  assert.equal(await waiting, 1);
  assert.match(written.join(""), /not yet: 1 of 1 nodes: 127\.0\.0\.1 \(no answer\)/);
});

test("cleanup-wait gives up after its time, and names the nodes that were missed", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const endpoint = ["--probe-endpoint", `127.0.0.1:${port}`];
  const config = waitConfig(...endpoint, "--period", "1ms", "--timeout", "50ms");
  const { written, ...rest } = io(new AbortController().signal);
  assert.equal(await cleanupWaitCommand(config, rest), 1);
  const lines = written.join("").trim().split("\n");
  assert.equal(lines.length, 2, "what has not changed is not said again");
  assert.match(lines[1] ?? "", /within 0\.05 s: 1 of 1 nodes: 127\.0\.0\.1 \(no answer\)\. /);
});

test("cleanup-wait: a bad endpoint is named", async () => {
  for (const args of [[], ["--probe-endpoint", "no-port"], ["--probe-endpoint", "a:70000"]]) {
    await assert.rejects(
      cleanupWaitCommand(waitConfig(...args), io(new AbortController().signal)),
      (error) => error instanceof ConfigError && /^--probe-endpoint: /.test(error.message),
    );
  }
});

test("cleanup-wait: a bad DaemonSet is named", async () => {
  for (const name of ["eddy-cleanup", "a/b/c", "/x"]) {
    const config = waitConfig("--probe-endpoint", "a:1", "--probe-daemonset", name);
    await assert.rejects(
      cleanupWaitCommand(config, io(new AbortController().signal)),
      (error) => error instanceof ConfigError && /^--probe-daemonset: got /.test(error.message),
    );
  }
});
