import assert from "node:assert/strict";
import { RepositoryContent } from "../../lib/access/repository_content.ts";
import { test } from "../support/test.ts";
import { digestOf } from "./gate_rig.ts";

const DIGEST = digestOf("a");

test("what upstream proved finds room, however many claim the content", () => {
  const content = new RepositoryContent();
  content.prove("ghcr.io/acme/private", DIGEST);
  for (let count = 0; count < 100; count++) content.claim(`evil.example/${count}`, DIGEST);
  assert.ok(content.isProven("ghcr.io/acme/private", DIGEST));
  assert.equal(content.repositories(DIGEST).length, 32);
  content.prove("docker.io/library/late", DIGEST);
  assert.ok(content.isProven("docker.io/library/late", DIGEST));
  assert.ok(content.isProven("ghcr.io/acme/private", DIGEST));
  assert.equal(content.repositories(DIGEST).length, 32);
});

test("a claim does not undo a proof", () => {
  const content = new RepositoryContent();
  content.prove("a.example/b", DIGEST);
  content.claim("a.example/b", DIGEST);
  assert.ok(content.isProven("a.example/b", DIGEST));
  assert.ok(!content.isProven("a.example/c", DIGEST));
});
