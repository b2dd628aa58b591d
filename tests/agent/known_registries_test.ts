import assert from "node:assert/strict";
import { configuredRegistries, registriesOf } from "../../lib/agent/known_registries.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

test("registries known by name: flags, then folders, without wildcards, each once", async () => {
  await inDirectory(async (path) => {
    for (const folder of ["_default", "quay.io", "b.test_5000_", "docker.io", "not a host"]) {
      await Deno.mkdir(`${path}/${folder}`);
    }
    await Deno.writeTextFile(`${path}/ghcr.io`, "a file");
    const mirroredRegistries = ["*", "http://a.test:80", "docker.io"];
    assert.deepEqual(
      await configuredRegistries({ mirroredRegistries }, path),
      ["a.test:80", "docker.io", "b.test:5000", "quay.io"],
    );
    assert.deepEqual(await configuredRegistries({ mirroredRegistries }, `${path}/none`), [
      "a.test:80",
      "docker.io",
    ]);
  });
});

test("registries of repositories, each once; names without one have none", () => {
  const names = ["docker.io/library/a", "b.test:5000/c", "docker.io/library/d", "nameless", "/e"];
  assert.deepEqual(registriesOf(names), ["docker.io", "b.test:5000"]);
});
