import assert from "node:assert/strict";
import fc from "fast-check";
import { configure, restoreConfiguration } from "../../lib/configurator/configure.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { parseHostsDocument } from "../../lib/configurator/hosts_document.ts";
import { test } from "../support/test.ts";
import { Crash, CrashingFileSystem } from "./crashing_file_system.ts";
import { HostsUser } from "./hosts_user.ts";
import { optionsFor, withTree } from "./tree.ts";

/** Something that happens to the directory. */
type Happening =
  & { readonly crashAt?: number }
  & (
    | { readonly do: "start"; readonly prependExisting: boolean }
    | { readonly do: "cleanup" }
    | { readonly do: "edit"; readonly edit: keyof typeof EDITS; readonly host: number }
  );

/** What a user may do to their file, or to the copy in the backup; none of it needs the other's parts. */
const EDITS = {
  add: (user: HostsUser, host: number) => user.addHost(host),
  remove: (user: HostsUser, host: number) => user.removeHost(host),
  change: (user: HostsUser, host: number) => user.changeHeader(host),
  comment: (user: HostsUser) => user.addComment(),
  server: (user: HostsUser) => user.setServer(),
  replace: (user: HostsUser, host: number) => user.replaceFile(host),
  link: (user: HostsUser, host: number) => user.linkFile(host),
  removeBlock: (user: HostsUser) => user.removeBlock(),
  removeMarks: (user: HostsUser) => user.removeMarks(),
  removeFile: (user: HostsUser) => user.removeFile(),
  addToBackup: (user: HostsUser, host: number) => user.addToBackup(host),
} as const;

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("start" as const),
      prependExisting: fc.boolean(),
      crashAt: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 25 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("cleanup" as const),
      crashAt: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 20 })),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("edit" as const),
      edit: fc.constantFrom(...Object.keys(EDITS) as (keyof typeof EDITS)[]),
      host: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

test("whatever happens in whatever order, all that the user wrote and left is in the file", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 2, maxLength: 12 }), play),
    { numRuns: Number(Deno.env.get("EDDY_RUNS") ?? 150) },
  );
});

/** The sequence of the review: the header of a host that only the backup held was gone. */
test("an edit of a file without the user's hosts loses none of them", async () => {
  await play([
    { do: "edit", edit: "add", host: 1 },
    { do: "start", prependExisting: false },
    { do: "edit", edit: "add", host: 2 },
    { do: "start", prependExisting: false },
    { do: "edit", edit: "add", host: 3 },
    { do: "start", prependExisting: true },
  ]);
});

async function play(happenings: readonly Happening[]): Promise<void> {
  await withTree({ "docker.io/ca.pem": "pem" }, async (root) => {
    const user = new HostsUser(root);
    for (const each of happenings) {
      if (each.do === "edit") await EDITS[each.edit](user, each.host);
      else await run(root, each);
    }
    await restoreConfiguration({ fileSystem: denoFileSystem }, { configPath: root });
    const text = await user.read();
    for (const wanted of user.wrote) {
      assert.ok(text.includes(wanted), `${wanted} is not in\n${text}`);
    }
    assert.ok(!/>>> eddy|127\.0\.0\.1:5000/.test(text), text);
    const { hosts } = parseHostsDocument(new TextEncoder().encode(text));
    assert.equal(new Set(hosts.map(([url]) => url)).size, hosts.length);
    // What a crash left in the backup and nobody can place is kept, too.
    const crashed = happenings.some(({ crashAt = Infinity }) => crashAt < Infinity);
    const left = await denoFileSystem.list(`${root}/_backup`);
    if (!crashed) assert.equal(left, undefined, "nothing is left");
  });
}

async function run(root: string, happening: Exclude<Happening, { do: "edit" }>): Promise<void> {
  const fileSystem = new CrashingFileSystem(happening.crashAt ?? Infinity);
  const running = happening.do === "start"
    ? configure(
      { fileSystem },
      optionsFor(root, { prependExisting: happening.prependExisting }),
    )
    : restoreConfiguration({ fileSystem }, { configPath: root });
  await running.catch((error) => assert.ok(error instanceof Crash, String(error)));
  if (fileSystem.crashed || happening.do === "cleanup") return;
  const options = optionsFor(root, { prependExisting: happening.prependExisting });
  assert.deepEqual((await configure({ fileSystem }, options)).steps, [], "it is done");
}
