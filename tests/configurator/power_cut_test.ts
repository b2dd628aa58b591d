import assert from "node:assert/strict";
import { configure, restoreConfiguration } from "../../lib/configurator/configure.ts";
import type { FileSystem, FileVersion } from "../../lib/configurator/file_system.ts";
import { durableFiles } from "../../lib/files/durable_files.ts";
import { PowerCut, PowerCutDisk } from "../files/power_cut_disk.ts";
import { test } from "../support/test.ts";
import { optionsFor } from "./tree.ts";

const ROOT = "/etc/certs.d";
const FILE = `${ROOT}/docker.io/hosts.toml`;
const USER =
  `[host."https://m.example"] # mine\n\n[host."https://m.example".header]\nX = "secret"\n`;
/** More operations than any of these runs makes. */
const ENOUGH = 400;

/** The configurator's file system on such a disk. */
function fileSystemOf(disk: PowerCutDisk): FileSystem {
  const files = durableFiles(disk);
  const versionOf = (text: string): FileVersion => ({
    kind: "file",
    bytes: new TextEncoder().encode(text),
    mode: 0o644,
  });
  const read = (path: string) => {
    const node = disk.at(path);
    return Promise.resolve(typeof node === "string" ? versionOf(node) : undefined);
  };
  return {
    ...{ create: files.create, rename: files.rename, sync: files.sync, read },
    list: (path) => Promise.resolve(disk.entries(path)),
    readThrough: () => Promise.resolve(undefined),
    directory: (path) =>
      Promise.resolve(disk.isDirectory(path) ? { mode: 0o755, inode: null } : undefined),
    realPath: (path) => Promise.resolve(path),
    makeDirectory: (path, mode) => files.makeDirectories(path, mode),
    async remove(path) {
      if ((disk.entries(path) ?? []).length > 0) return false;
      await disk.remove(path);
      return true;
    },
  };
}

function diskWith(cutAt?: number): PowerCutDisk {
  const disk = new PowerCutDisk(cutAt);
  for (const path of ["/etc", ROOT, `${ROOT}/docker.io`]) disk.put(path, "directory");
  disk.put(FILE, USER);
  return disk;
}

const options = optionsFor(ROOT, { prependExisting: false });

const RUNS: Readonly<Record<string, (fileSystem: FileSystem) => Promise<unknown>>> = {
  "the first run": (fileSystem) => configure({ fileSystem }, options),
  "a first run and a restore": async (fileSystem) => {
    await configure({ fileSystem }, options);
    await restoreConfiguration({ fileSystem }, { configPath: ROOT });
  },
};

for (const [name, run] of Object.entries(RUNS)) {
  test(`a power loss at any step of ${name} loses nothing`, async () => {
    let cuts = 0;
    for (let at = 1;; at++) {
      assert.ok(at < ENOUGH);
      const disk = diskWith(at);
      const done = await run(fileSystemOf(disk)).then(() => true, (error) => {
        assert.ok(error instanceof PowerCut, String(error));
        return false;
      });
      for (const left of disk.restarts()) {
        const fileSystem = fileSystemOf(left);
        const where = `cut at ${at}: ${JSON.stringify(left.paths)}`;
        await configure({ fileSystem }, options);
        assert.match(String(left.at(FILE)), /# >>> eddy/, where);
        await restoreConfiguration({ fileSystem }, { configPath: ROOT });
        assert.equal(left.at(FILE), USER, where);
        assert.deepEqual(left.entries(ROOT)?.map((entry) => entry.name), ["docker.io"], where);
      }
      for (const left of disk.restarts()) {
        await restoreConfiguration({ fileSystem: fileSystemOf(left) }, { configPath: ROOT });
        assert.equal(left.at(FILE), USER, `cut at ${at}, then a restore`);
      }
      if (done) break;
      cuts++;
    }
    assert.ok(cuts > 30, `${cuts} cuts`);
  });
}
