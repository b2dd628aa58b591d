import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/async/clock.ts";
import { ContainerdClient, ContainerdError } from "../../lib/store/containerd/client.ts";
import { methods } from "../../lib/store/containerd/methods.ts";
import { type TestContext, testWith } from "../support/test.ts";

/** Programs of one containerd release. */
export interface ContainerdBinaries {
  /** Major version. */
  readonly major: 1 | 2;
  /** Directory that has `containerd` and `ctr`. */
  readonly directory: string;
}

/** Longest wait for a containerd to answer after its start, ms. */
const START_TIMEOUT_MS = 30_000;

/**
 * Finds the containerd releases to test with: in the directories that `EDDY_TEST_CONTAINERD1` and
 * `EDDY_TEST_CONTAINERD2` name, else `/usr/bin` and `eddy/bin` of the user's cache.
 *
 * @returns for each major version the programs, or what is missing.
 */
async function findContainerds(): Promise<
  readonly { readonly major: 1 | 2; readonly found: ContainerdBinaries | string }[]
> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "/root", ".cache");
  const candidates = [
    { major: 1, directory: Deno.env.get("EDDY_TEST_CONTAINERD1") ?? "/usr/bin" },
    { major: 2, directory: Deno.env.get("EDDY_TEST_CONTAINERD2") ?? join(cache, "eddy", "bin") },
  ] as const;
  return await Promise.all(candidates.map(async (candidate) => {
    const { major, directory } = candidate;
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
      return { major, found: "root on Linux" };
    }
    const version = await versionOf(join(directory, "containerd"));
    const fits = version !== undefined && new RegExp(`\\sv?${major}\\.\\d`).test(version);
    return { major, found: fits ? candidate : `containerd ${major}.x in ${directory}` };
  }));
}

/**
 * Registers a test for each major version, or says why one is left out.
 *
 * @param register as with {@link testWith}.
 */
export async function testEachContainerd(
  title: (major: 1 | 2) => string,
  run: (t: TestContext, binaries: ContainerdBinaries) => Promise<void>,
  register?: (name: string, fn: (t: TestContext) => Promise<void> | void) => void,
): Promise<void> {
  for (const { major, found } of await findContainerds()) {
    if (typeof found === "string") testWith([found], title(major), () => {});
    else testWith([], title(major), (t) => run(t, found), register);
  }
}

/** Settings that differ from what a good node has. */
export interface ContainerdSettings {
  /** Default: `certs.d` of the containerd's directory. */
  readonly configPath?: string;
  /** Lines for the section that has image settings, and `discard_unpacked_layers`. */
  readonly images?: readonly string[];
  /** Lines for the section `registry`. */
  readonly registry?: readonly string[];
}

/** A containerd with its own root, state and socket below one directory. */
export class RealContainerd {
  readonly socketPath: string;
  readonly contentPath: string;
  readonly certsPath: string;
  readonly #directory: string;
  readonly #binaries: ContainerdBinaries;
  #settings: ContainerdSettings = {};
  #process: Deno.ChildProcess | undefined;

  constructor(directory: string, binaries: ContainerdBinaries) {
    this.#directory = directory;
    this.#binaries = binaries;
    this.socketPath = join(directory, "containerd.sock");
    this.contentPath = join(directory, "root", "io.containerd.content.v1.content");
    this.certsPath = join(directory, "certs.d");
  }

  /** Its configuration file. */
  get configFile(): string {
    return join(this.#directory, "config.toml");
  }

  /** Starts it and waits until it answers. */
  async start(settings: ContainerdSettings = {}): Promise<void> {
    this.#settings = settings;
    const config = this.configFile;
    await Deno.writeTextFile(config, this.#config());
    this.#process = new Deno.Command(join(this.#binaries.directory, "containerd"), {
      args: ["--config", config],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await this.#answering();
  }

  /** Ends it and waits until it has ended. */
  async stop(): Promise<void> {
    this.#process?.kill("SIGCONT");
    this.#process?.kill("SIGTERM");
    await this.#process?.status;
    this.#process = undefined;
  }

  /** Stops it, so that it hangs; resolves once all its threads stand still. */
  async freeze(): Promise<void> {
    assert.ok(this.#process);
    this.#process.kill("SIGSTOP");
    const tasks = `/proc/${this.#process.pid}/task`;
    const until = systemClock.now() + START_TIMEOUT_MS;
    while (!(await threadStates(tasks)).every((state) => state === "T")) {
      assert.ok(systemClock.now() < until, "containerd does not stop");
      await systemClock.sleep(5);
    }
  }

  /** Lets it go on. */
  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Runs `ctr` in a namespace; rejects with what it says if it fails. */
  async ctr(namespace: string, args: readonly string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command(join(this.#binaries.directory, "ctr"), {
      args: ["--address", this.socketPath, "--namespace", namespace, ...args],
      stdin: "null",
    }).output();
    if (!success) throw new Error(`ctr ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }

  #config(): string {
    const { configPath = this.certsPath, images = [], registry = [] } = this.#settings;
    const isFirst = this.#binaries.major === 1;
    const cri = isFirst ? "io.containerd.grpc.v1.cri" : "io.containerd.cri.v1.images";
    return [
      `version = ${isFirst ? 2 : 3}`,
      `root = "${join(this.#directory, "root")}"`,
      `state = "${join(this.#directory, "state")}"`,
      "[grpc]",
      `address = "${this.socketPath}"`,
      // Several containerds 2.x on one machine would fight over the socket of NRI.
      ...isFirst ? [] : ['[plugins."io.containerd.nri.v1.nri"]', "disable = true"],
      `[plugins."${cri}"${isFirst ? ".containerd" : ""}]`,
      ...images,
      `[plugins."${cri}".registry]`,
      `config_path = "${configPath}"`,
      ...registry,
    ].join("\n");
  }

  async #answering(): Promise<void> {
    const { signal } = new AbortController();
    const until = systemClock.now() + START_TIMEOUT_MS;
    const client = new ContainerdClient(this.socketPath, { namespace: "probe" });
    try {
      while (true) {
        try {
          await client.call(methods.version, {}, { signal });
          return;
        } catch (error) {
          if (!(error instanceof ContainerdError) || systemClock.now() > until) throw error;
          await systemClock.sleep(50);
        }
      }
    } finally {
      client.close();
    }
  }
}

/** The states of a process's threads (proc(5), `/proc/pid/stat`). */
async function threadStates(tasks: string): Promise<(string | undefined)[]> {
  const threads = await Array.fromAsync(Deno.readDir(tasks), ({ name }) => name);
  return await Promise.all(threads.map(async (thread) => {
    const stat = await Deno.readTextFile(`${tasks}/${thread}/stat`);
    return /^\d+ \(.*\) (\S)/.exec(stat)?.[1];
  }));
}

async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
