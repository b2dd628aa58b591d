import assert from "node:assert/strict";
import { keepRepositories, loadRepositories } from "../../lib/access/keep_repositories.ts";
import { Repositories } from "../../lib/access/repositories.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const AUTO = { auto: true, patterns: [] };

async function withFile(run: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-repositories-" });
  try {
    await run(`${directory}/data/private.json`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

test("private repositories survive a restart; public ones are asked about again", async () => {
  await withFile(async (path) => {
    const clock = new FakeClock();
    const log = new MemoryLog();
    const repositories = new Repositories(clock, AUTO);
    const stop = new AbortController();
    const kept = keepRepositories(repositories, { clock, log }, { path, signal: stop.signal });
    repositories.learn("ghcr.io/acme/app", "private");
    repositories.learn("docker.io/library/nginx", "public");
    stop.abort();
    await kept;
    const next = new Repositories(clock, AUTO);
    await loadRepositories(next, { log }, path);
    assert.equal(next.visibility("ghcr.io/acme/app"), "private");
    assert.equal(next.visibility("docker.io/library/nginx"), "unknown");
    assert.deepEqual(log.lines, []);
  });
});

test("a file that is missing, damaged or not writable is done without", async () => {
  await withFile(async (path) => {
    const log = new MemoryLog();
    const repositories = new Repositories(new FakeClock(), AUTO);
    await loadRepositories(repositories, { log }, path);
    assert.deepEqual(log.lines, []);
    await Deno.mkdir(path, { recursive: true });
    const stop = new AbortController();
    const kept = keepRepositories(
      repositories,
      { clock: new FakeClock(), log },
      { path, signal: stop.signal },
    );
    repositories.learn("a.example/b", "private");
    stop.abort();
    await kept;
    await Deno.remove(path, { recursive: true });
    for (const text of ["{", '{"private":"x"}', '{"private":[1]}', "x".repeat(5_000_000)]) {
      await Deno.writeTextFile(path, text);
      await loadRepositories(repositories, { log }, path);
    }
    assert.equal(log.lines.length, 5);
    assert.ok(log.lines.every(({ level }) => level === "warn"));
  });
});

test("patterns", () => {
  const { visibility } = {
    visibility: (name: string) =>
      new Repositories(new FakeClock(), {
        auto: false,
        patterns: ["ghcr.io/acme/*", "*.corp.example/*", "quay.io/one/app"],
      }).visibility(name),
  };
  for (
    const name of ["ghcr.io/acme/a", "ghcr.io/acme/a/b", "r.corp.example/x", "quay.io/one/app"]
  ) {
    assert.equal(visibility(name), "private", name);
  }
  for (
    const name of ["ghcr.io/acmeother/a", "ghcrxio/acme/a", "quay.io/one/app2", "corp.example/x"]
  ) {
    assert.equal(visibility(name), "public", name);
  }
});
