import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import type { FileSystem } from "../../lib/configurator/file_system.ts";

/** What a crashed file system answers. */
export class Crash extends Error {
  override readonly name = "Crash";
}

/** The machine's file system until its `crashAt`th change, which is done by half; then nothing works. */
export class CrashingFileSystem implements FileSystem {
  readonly #crashAt: number;
  #changes = 0;
  #crashed = false;

  constructor(crashAt: number) {
    this.#crashAt = crashAt;
  }

  /** True if the crash came. */
  get crashed(): boolean {
    return this.#crashed;
  }

  list = (path: string) => this.#read(() => denoFileSystem.list(path));
  read = (path: string) => this.#read(() => denoFileSystem.read(path));
  readThrough = (path: string) => this.#read(() => denoFileSystem.readThrough(path));
  directory = (path: string) => this.#read(() => denoFileSystem.directory(path));
  realPath = (path: string) => this.#read(() => denoFileSystem.realPath(path));
  makeDirectory = (path: string, mode: number) =>
    this.#change(() => denoFileSystem.makeDirectory(path, mode));
  rename = (from: string, to: string) => this.#change(() => denoFileSystem.rename(from, to));
  remove = (path: string) => this.#change(() => denoFileSystem.remove(path));
  sync = (path: string) => this.#read(() => denoFileSystem.sync(path));

  create: FileSystem["create"] = (path, version) =>
    this.#change(() => denoFileSystem.create(path, version), async () => {
      if (version.kind === "link") return;
      const half = version.bytes.slice(0, Math.floor(version.bytes.length / 2));
      await denoFileSystem.create(path, { ...version, bytes: half });
    });

  async #read<T>(run: () => Promise<T>): Promise<T> {
    if (this.#crashed) throw new Crash();
    return await run();
  }

  async #change<T>(run: () => Promise<T>, half?: () => Promise<void>): Promise<T> {
    if (this.#crashed) throw new Crash();
    this.#changes++;
    if (this.#changes === this.#crashAt) {
      this.#crashed = true;
      await half?.();
      throw new Crash();
    }
    return await run();
  }
}
