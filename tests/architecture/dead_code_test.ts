import assert from "node:assert/strict";
import { test } from "../support/test.ts";
import { findDeadCode, type Source } from "./dead_code.ts";
import { readSource, ROOT, sourceFiles } from "./source_files.ts";

/** Commands are imported by their names, which are put together. */
const BY_NAME = /: nobody uses \w+Command$/;
const SELF = "tests/architecture/dead_code_test.ts";
/** What a library calls without an `override`. */
const CALLED_BY_LIBRARIES = ["lib/router/libp2p/tcp_listener.ts: nobody uses updateAnnounceAddrs"];

async function read(folder: string): Promise<Source[]> {
  const found: Source[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) found.push(...await read(`${folder}${name}/`));
    else if (/\.tsx?$/.test(name) && `${folder}${name}` !== SELF) {
      found.push([`${folder}${name}`, await readSource(`${folder}${name}`)]);
    }
  }
  return found;
}

test("dead code: there is none in the application", async () => {
  const application = await Promise.all(
    (await sourceFiles()).map(async (path): Promise<Source> => [path, await readSource(path)]),
  );
  const users = (await Promise.all(["tests/", "bench/", "deploy/"].map(read))).flat();
  const dead = findDeadCode(application, users).filter((each) => !BY_NAME.test(each));
  assert.deepEqual(dead, CALLED_BY_LIBRARIES);
});

test("dead code: exports and members whose names are nowhere else are found", () => {
  const a = `
export const USED = 1;
export function unused(): void {}
/** See {@link unused} and lonely. */
export class Thing {
  readonly field = USED;
  override lonely(): void {}
  get dead(): number {
    return this.field;
  }
  async *gone<T>(): AsyncGenerator<T> {}
  #private(): void {}
}
`;
  const b = "export const other = USED + new Thing().field;";
  assert.deepEqual(findDeadCode([["a.ts", a]], [["b.ts", b]]), [
    "a.ts: nobody uses unused",
    "a.ts: nobody uses dead",
    "a.ts: nobody uses gone",
  ]);
});
