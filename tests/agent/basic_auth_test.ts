import assert from "node:assert/strict";
import { BasicAuth, configuredAuthorization } from "../../lib/agent/basic_auth.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { basicAuthorization } from "../../lib/oci/basic_auth.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { withFiles } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const OLD = basicAuthorization("user", "old secret");
const NEW = basicAuthorization("user", "new secret");
const MINUTE_MS = 60_000;

/** Lets time pass and files be read; the fake clock does not wait for the disk. */
async function pass(clock: FakeClock, ms: number, condition: () => boolean): Promise<void> {
  await clock.advance(ms);
  for (let round = 0; round < 500 && !condition(); round++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("credentials: what the files say", async () => {
  const cases: [files: Record<string, string>, authorization: string][] = [
    [{ username: "user", password: "pass" }, basicAuthorization("user", "pass")],
    [{ username: "user\n", password: "pass\r\n" }, basicAuthorization("user", "pass")],
    [{ username: "user", password: " p:a ß " }, basicAuthorization("user", " p:a ß ")],
    [{ username: "user" }, basicAuthorization("user", "")],
    [{ password: "pass" }, basicAuthorization("", "pass")],
  ];
  for (const [files, authorization] of cases) {
    await withFiles(files, async (basicAuthDir) => {
      assert.equal(await configuredAuthorization({ basicAuthDir }), authorization);
    });
  }
});

test("credentials: a directory without usable files is refused, and none of it shown", async () => {
  const cases: Record<string, string>[] = [
    {},
    { username: "", password: "" },
    { username: "us:er", password: "hush" },
    { username: "user", password: "hush".repeat(1000) },
  ];
  for (const files of cases) {
    await withFiles(files, async (basicAuthDir) => {
      await assert.rejects(configuredAuthorization({ basicAuthDir }), (error: Error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /^--basic-auth-dir: got ".*", want /);
        assert.ok(!/hush|us:er/.test(error.message), error.message);
        return true;
      });
    });
  }
  await assert.rejects(configuredAuthorization({ basicAuthDir: "/nowhere" }), /there are none/);
});

test("credentials: new ones are taken over, the old ones do for a while", async () => {
  await withFiles({ username: "user", password: "old secret" }, async (basicAuthDir) => {
    const clock = new FakeClock();
    const log = new MemoryLog();
    const auth = await BasicAuth.open({ basicAuthDir }, { clock, log });
    assert.deepEqual(auth.accepted(), [OLD]);
    let changes = 0;
    const stop = auth.follow(() => {
      changes++;
      return Promise.reject(new Error("the disk is full"));
    });
    await Deno.writeTextFile(`${basicAuthDir}/password`, "new secret");
    await pass(clock, 5000, () => changes > 0);
    assert.equal(changes, 1);
    assert.equal(auth.current(), NEW);
    assert.deepEqual(auth.accepted(), [NEW, OLD]);
    await clock.advance(11 * MINUTE_MS);
    assert.deepEqual(auth.accepted(), [NEW]);
    await stop();
    assert.ok(!JSON.stringify(log.lines).includes("secret"), "no credentials in the log");
    assert.ok(!JSON.stringify(log.lines).includes(NEW.slice(6)));
  });
});

test("credentials: files that go away do not open the registry", async () => {
  await withFiles({ username: "user", password: "old secret" }, async (basicAuthDir) => {
    const clock = new FakeClock();
    const log = new MemoryLog();
    const auth = await BasicAuth.open({ basicAuthDir }, { clock, log });
    const stop = auth.follow(() => Promise.resolve());
    const warnings = () => log.lines.filter(({ level }) => level === "warn").length;
    await Deno.remove(`${basicAuthDir}/username`);
    await Deno.remove(`${basicAuthDir}/password`);
    await pass(clock, 5000, () => warnings() > 0);
    assert.equal(warnings(), 1);
    assert.deepEqual(auth.accepted(), [OLD]);
    await Deno.mkdir(`${basicAuthDir}/password`);
    await pass(clock, 5000, () => warnings() > 1);
    assert.deepEqual(auth.accepted(), [OLD]);
    await stop();
  });
});
