import assert from "node:assert/strict";
import { denoFiles, durableFiles } from "../../lib/files/durable_files.ts";
import { denoOperations, type FileOperations } from "../../lib/files/file_operations.ts";
import {
  clearTemporaries,
  replaceFile,
  temporaryIn,
  writeDurably,
  writeThrough,
} from "../../lib/files/write_durably.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { PowerCut, PowerCutDisk } from "./power_cut_disk.ts";

const MODES = { mode: 0o600, directoryMode: 0o700 };
const bytes = (text: string) => new TextEncoder().encode(text);
const file = (text: string) => ({ kind: "file", bytes: bytes(text), mode: 0o644 }) as const;

interface Scenario {
  readonly name: string;
  /** What is at `/data/list` before. */
  readonly before?: string;
  readonly after: string;
  readonly act: (operations: FileOperations) => Promise<void>;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "a file in place of another",
    before: "old",
    after: "new",
    act: (operations) => writeDurably(durableFiles(operations), "/data/list", file("new")),
  },
  {
    name: "a file of several pieces, from a directory beside",
    before: "old",
    after: "one two",
    act: (operations) => {
      const entry = { ...file(""), bytes: ReadableStream.from([bytes("one "), bytes("two")]) };
      return writeThrough(durableFiles(operations), "/tmp", entry, () => "/data/list");
    },
  },
  {
    name: "a file whose directories are missing",
    after: "new",
    act: (operations) => replaceFile("/data/list", "new", MODES, durableFiles(operations)),
  },
  {
    name: "a link in place of a file",
    before: "old",
    after: "→elsewhere",
    act: (operations) =>
      writeDurably(durableFiles(operations), "/data/list", { kind: "link", target: "elsewhere" }),
  },
];

function diskOf({ before }: Scenario, cutAt?: number): PowerCutDisk {
  const disk = new PowerCutDisk(cutAt);
  disk.put("/tmp", "directory");
  if (before !== undefined) {
    disk.put("/data", "directory");
    disk.put("/data/list", before);
  }
  return disk;
}

for (const scenario of SCENARIOS) {
  test(`durable: ${scenario.name} is the old or the new one whenever the power goes`, async () => {
    let cuts = 0;
    for (let at = 1;; at++) {
      const disk = diskOf(scenario, at);
      const done = await scenario.act(disk).then(() => true, (error) => {
        assert.ok(error instanceof PowerCut, String(error));
        return false;
      });
      for (const found of disk.afterwards("/data/list")) {
        if (done) assert.equal(found, scenario.after);
        else assert.ok([scenario.before, scenario.after].includes(found), `cut at ${at}: ${found}`);
      }
      if (done) break;
      cuts++;
    }
    assert.ok(cuts >= 3, `${cuts} cuts`);
  });
}

test("durable: without a sync the same test fails", async () => {
  const [scenario] = SCENARIOS;
  assert.ok(scenario);
  const disk = diskOf(scenario);
  const careless: FileOperations = {
    ...disk,
    createNew: async (path, mode) => ({
      ...await disk.createNew(path, mode),
      sync: () => Promise.resolve(),
    }),
  };
  await scenario.act(careless);
  assert.deepEqual(disk.afterwards("/data/list"), ["", "", "new"]);
  const forgetful = diskOf(scenario);
  await scenario.act({ ...forgetful, syncDirectory: () => Promise.resolve() });
  assert.deepEqual(forgetful.afterwards("/data/list"), ["old", "new", "new"]);
});

test("durable: what fails leaves nothing behind, and the old one in place", async () => {
  const broken = ReadableStream.from(async function* () {
    yield bytes("half");
    await Promise.reject(new Error("no room"));
  }());
  const failures: ((operations: FileOperations) => Promise<void>)[] = [
    (operations) =>
      writeDurably(durableFiles(operations), "/data/list", { ...file(""), bytes: broken }),
    (operations) =>
      writeThrough(durableFiles(operations), "/data", file("x"), () => {
        throw new Error("no room");
      }),
    (operations) =>
      writeDurably(
        durableFiles({ ...operations, rename: () => Promise.reject(new Error("no room")) }),
        "/data/list",
        file("x"),
      ),
  ];
  for (const act of failures) {
    const disk = new PowerCutDisk();
    disk.put("/data", "directory");
    disk.put("/data/list", "old");
    await assert.rejects(act(disk), /no room/);
    assert.deepEqual(disk.paths, ["/", "/data", "/data/list"]);
    assert.deepEqual(disk.afterwards("/data/list"), ["old", "old", "old"]);
  }
});

test("durable: on the machine's file system modes are exact, and links are replaced", () =>
  inDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/victim`, "victim");
    await Deno.symlink("victim", `${directory}/secret`);
    for (const mode of [0o600, 0o644, 0o755, 0o400]) {
      await replaceFile(`${directory}/secret`, "new", { mode, directoryMode: 0o700 });
      const { isFile, mode: found } = await Deno.lstat(`${directory}/secret`);
      assert.deepEqual([isFile, (found ?? 0) & 0o7777], [true, mode]);
    }
    assert.equal(await Deno.readTextFile(`${directory}/victim`), "victim");
    await replaceFile(`${directory}/deep/er/file`, "x", MODES);
    for (const [path, mode] of [["deep", 0o700], ["deep/er", 0o700], ["deep/er/file", 0o600]]) {
      assert.equal(((await Deno.stat(`${directory}/${path}`)).mode ?? 0) & 0o777, mode, `${path}`);
    }
    const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
    assert.deepEqual(names.sort(), ["deep", "secret", "victim"]);
  }));

test("durable: a new file follows no link and takes no place that is taken", () =>
  inDirectory(async (directory) => {
    await Deno.symlink("nowhere", `${directory}/planted`);
    for (const place of ["planted", "."]) {
      await assert.rejects(
        denoFiles.create(`${directory}/${place}`, file("x")),
        Deno.errors.AlreadyExists,
      );
    }
    await assert.rejects(Deno.lstat(`${directory}/nowhere`), Deno.errors.NotFound);
    await assert.rejects(denoFiles.makeDirectories(`${directory}/planted/x`, 0o700));
  }));

test("durable: a directory that cannot be synced is content, a disk that fails is not", () =>
  inDirectory(async (directory) => {
    await denoOperations.syncDirectory(directory);
    await denoOperations.syncDirectory(`${directory}/absent`);
    const failing = { ...denoOperations, syncDirectory: () => Promise.reject(new Error("EIO")) };
    await assert.rejects(replaceFile(`${directory}/x`, "x", MODES, durableFiles(failing)), /EIO/);
  }));

test("durable: what crashes left is cleared once no writer can be at it", () =>
  inDirectory(async (directory) => {
    const [fresh, stale] = [temporaryIn(directory), temporaryIn(directory)];
    for (const path of [fresh, stale, `${directory}/kept`]) await Deno.writeTextFile(path, "");
    for (const path of [stale, `${directory}/kept`]) await Deno.utime(path, 0, 0);
    await clearTemporaries(directory);
    await clearTemporaries(`${directory}/absent`);
    const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
    assert.deepEqual(names.sort(), [fresh.slice(directory.length + 1), "kept"]);
  }));
