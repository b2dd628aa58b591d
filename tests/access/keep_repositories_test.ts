import assert from "node:assert/strict";
import { keepRepositories, loadRepositories } from "../../lib/access/keep_repositories.ts";
import { Repositories } from "../../lib/access/repositories.ts";
import { RepositoryContent } from "../../lib/access/repository_content.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { digestOf } from "./authorizer_rig.ts";

const [A, B] = [digestOf("a"), digestOf("b")];
const PRIVATE = "ghcr.io/acme/app";
const PUBLIC = "docker.io/library/nginx";

/** What a node knows, and what it keeps of that. */
function rig(path: string, today = () => 1_000_000_000) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const repositories = new Repositories(clock, { auto: true, patterns: [] });
  const content = new RepositoryContent();
  const knowledge = { repositories, content, clock, log, today };
  return {
    ...knowledge,
    load: () => loadRepositories(knowledge, path),
    /** Does something, and writes what is known then. */
    async save(work: () => void): Promise<void> {
      const stop = new AbortController();
      const kept = keepRepositories(knowledge, { path, signal: stop.signal });
      work();
      stop.abort();
      await kept;
    },
  };
}

function withFile(run: (path: string) => Promise<void>): Promise<void> {
  return inDirectory((directory) => run(`${directory}/data/private.json`));
}

test("private repositories survive a restart, and public ones whose content is held", async () => {
  await withFile(async (path) => {
    const before = rig(path);
    await before.save(() => {
      before.repositories.learn(PRIVATE, "private");
      before.repositories.learn(PUBLIC, "public");
      before.repositories.learn("docker.io/library/asked", "public");
      before.repositories.hold(PUBLIC);
    });
    const next = rig(path);
    await next.load();
    assert.equal(next.repositories.visibility(PRIVATE), "private");
    assert.ok(next.repositories.allowsAnonymousPull(PUBLIC));
    assert.ok(!next.repositories.isDueForOutsiders(PUBLIC), "it is fresh");
    assert.equal(next.repositories.visibility("docker.io/library/asked"), "unknown");
    const later = rig(path, () => 1_000_000_000 + 600_000);
    await later.load();
    assert.ok(later.repositories.allowsAnonymousPull(PUBLIC), "the last word counts");
    assert.ok(later.repositories.isDueForOutsiders(PUBLIC), "and is asked about");
    assert.equal(later.repositories.visibility(PUBLIC), "unknown");
    const earlier = rig(path, () => 999_000_000);
    await earlier.load();
    assert.ok(earlier.repositories.isDueForOutsiders(PUBLIC), "the clock was ahead");
    assert.deepEqual([...before.log.lines, ...next.log.lines], []);
  });
});

test("proofs for content of several repositories survive a restart", async () => {
  await withFile(async (path) => {
    const before = rig(path);
    await before.save(() => {
      before.content.held.claim(A, PUBLIC);
      before.content.held.claim(A, PRIVATE);
      before.content.held.claim(B, PUBLIC);
      before.content.prove(PUBLIC, A);
      before.content.prove(PUBLIC, B);
    });
    const next = rig(path);
    await next.load();
    next.content.held.claim(A, PRIVATE);
    next.content.adopt();
    assert.ok(next.content.isProven(PUBLIC, A));
    assert.ok(!next.content.isProven(PUBLIC, B), "nobody needs to know");
  });
});

test("what earlier versions wrote is read", async () => {
  await withFile(async (path) => {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, JSON.stringify({ private: [PRIVATE] }));
    const { load, repositories, log } = rig(path);
    await load();
    assert.equal(repositories.visibility(PRIVATE), "private");
    assert.deepEqual(log.lines, []);
  });
});

test("a file that is missing, damaged or not writable is done without, and opens nothing", async () => {
  await withFile(async (path) => {
    const { load, save, log, repositories } = rig(path);
    await load();
    assert.deepEqual(log.lines, []);
    await Deno.mkdir(path, { recursive: true });
    await save(() => repositories.learn("a.example/b", "private"));
    await Deno.remove(path, { recursive: true });
    const texts = [
      ...["", "{", "null", '{"private":"x"}', '{"private":[1]}', '{"private":[],"public":["x"]}'],
      "x".repeat(17_000_000),
    ];
    for (const text of texts) {
      await Deno.writeTextFile(path, text);
      const next = rig(path);
      await next.load();
      assert.equal(next.log.lines[0]?.level, "warn", text.slice(0, 40));
      assert.match(JSON.stringify(next.log.lines), /until upstream has been asked/);
      assert.equal(next.repositories.allowsAnonymousPull(PUBLIC), false);
    }
    assert.deepEqual(log.lines.map(({ level }) => level), ["warn"]);
  });
});

test("patterns", () => {
  const repositories = new Repositories(new FakeClock(), {
    auto: false,
    patterns: ["ghcr.io/acme/*", "*.corp.example/*", "quay.io/one/app", "host:5000/team/*"],
  });
  const privates = [
    ...["ghcr.io/acme/a", "ghcr.io/acme/a/b", "r.corp.example/x", "quay.io/one/app"],
    "host:5000/team/app",
  ];
  const others = [
    ...["ghcr.io/acmeother/a", "ghcrxio/acme/a", "quay.io/one/app2", "corp.example/x"],
    ...["host/team/app", "host:5001/team/app"],
  ];
  for (const name of privates) assert.equal(repositories.visibility(name), "private", name);
  for (const name of others) assert.equal(repositories.visibility(name), "public", name);
  const anyPort = (name: string) => repositories.isPrivateByPattern(name, { anyPort: true });
  assert.deepEqual(["host/team/app", "host/other", "ghcr.io/acme/a"].map(anyPort), [
    ...[true, false, true],
  ]);
});

test("public patterns; a private one wins", () => {
  const repositories = new Repositories(new FakeClock(), {
    auto: true,
    patterns: ["registry.internal/secret/*"],
    publicPatterns: ["registry.internal/*"],
  });
  assert.ok(!repositories.allPublic);
  assert.ok(repositories.allowsAnonymousPull("registry.internal/app"));
  assert.ok(!repositories.allowsAnonymousPull("registry.internal/secret/app"));
  assert.equal(repositories.visibility("registry.internal/secret/app"), "private");
  assert.ok(!repositories.allowsAnonymousPull("docker.io/library/app"));
  repositories.learn("registry.internal/app", "private");
  assert.ok(repositories.allowsAnonymousPull("registry.internal/app"), "no question is needed");
  for (
    const [auto, patterns, publicPatterns, allPublic] of [
      [true, [], ["*"], true],
      [true, ["a/*"], ["*"], false],
      [false, [], [], true],
      [false, ["a/*"], [], false],
      [true, [], [], false],
    ] as const
  ) {
    const { allPublic: all } = new Repositories(new FakeClock(), {
      auto,
      patterns,
      publicPatterns,
    });
    assert.equal(all, allPublic, JSON.stringify([auto, patterns, publicPatterns]));
  }
});

test("10,000 names that clients ask for evict nothing that is known of what is held", () => {
  const repositories = new Repositories(new FakeClock(), { auto: true, patterns: [] });
  repositories.hold(PRIVATE);
  repositories.hold(PUBLIC);
  repositories.learn(PRIVATE, "private");
  repositories.learn(PUBLIC, "public");
  for (let index = 0; index < 20_000; index++) {
    repositories.learn(`evil.example/x${index}`, index % 2 === 0 ? "public" : "private");
  }
  assert.equal(repositories.visibility(PRIVATE), "private");
  assert.equal(repositories.visibility(PUBLIC), "public");
  assert.ok(repositories.kept().private.includes(PRIVATE));
  assert.equal(repositories.visibility("evil.example/x0"), "unknown");
  repositories.holdOnly(new Set([PUBLIC]));
  assert.equal(repositories.visibility(PRIVATE), "private", "it is the latest of the others");
});

test("to have nothing of it is no word that it is anybody's, nor does it take that back at once", () => {
  const clock = new FakeClock();
  const repositories = new Repositories(clock, { auto: true, patterns: [] });
  repositories.learn(PUBLIC, "absent");
  assert.equal(repositories.visibility(PUBLIC), "public", "for clients of this node");
  assert.ok(!repositories.allowsAnonymousPull(PUBLIC));
  repositories.learn(PUBLIC, "public");
  repositories.learn(PUBLIC, "absent");
  assert.ok(repositories.allowsAnonymousPull(PUBLIC));
  repositories.revoke(PUBLIC);
  assert.ok(!repositories.allowsAnonymousPull(PUBLIC));
  repositories.learn(PUBLIC, "public");
  repositories.learn(PUBLIC, "private");
  assert.ok(!repositories.allowsAnonymousPull(PUBLIC));
  repositories.learn(PUBLIC, "absent");
  assert.ok(!repositories.allowsAnonymousPull(PUBLIC), "once private it has to be given again");
});
