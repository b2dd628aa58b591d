import assert from "node:assert/strict";
import { RepositoryContent } from "../../lib/access/repository_content.ts";
import { test } from "../support/test.ts";
import { digestOf } from "./authorizer_rig.ts";

const DIGEST = digestOf("a");
const OTHER = digestOf("b");

function namesOf(content: RepositoryContent): string[] {
  return (content.claims(DIGEST)?.list ?? []).map(({ name }) => name);
}

test("what upstream proved finds room, however many claim the content, and that there are more is known", () => {
  const content = new RepositoryContent();
  content.held.claim(DIGEST, "ghcr.io/acme/private");
  content.prove("ghcr.io/acme/private", DIGEST);
  for (let count = 0; count < 100; count++) content.held.claim(DIGEST, `evil.example/${count}`);
  assert.ok(content.isProven("ghcr.io/acme/private", DIGEST));
  assert.equal(namesOf(content).length, 64);
  assert.ok(content.claims(DIGEST)?.overflow);
  content.prove("docker.io/library/late", DIGEST);
  assert.ok(content.isProven("docker.io/library/late", DIGEST));
  assert.ok(content.isProven("ghcr.io/acme/private", DIGEST));
  assert.equal(namesOf(content).length, 64);
});

test("a claim does not undo a proof", () => {
  const content = new RepositoryContent();
  content.prove("a.example/b", DIGEST);
  content.held.claim(DIGEST, "a.example/b");
  content.adopt();
  content.held.claim(DIGEST, "a.example/b");
  assert.ok(content.isProven("a.example/b", DIGEST));
  assert.ok(!content.isProven("a.example/c", DIGEST));
});

test("nothing that clients ask for or are given changes what is known of content that is held", () => {
  const content = new RepositoryContent();
  content.held.claim(DIGEST, "ghcr.io/acme/private");
  const before = content.claims(DIGEST);
  for (let index = 0; index < 40; index++) {
    const layers = Array.from({ length: 4096 }, (_, layer) => ({
      mediaType: "application/octet-stream",
      size: 1,
      digest: layer === 0
        ? DIGEST
        : `sha256:${(index * 4096 + layer).toString(16).padStart(64, "0")}`,
    }));
    const manifest = new TextEncoder().encode(JSON.stringify({ layers }));
    content.claimManifest(`docker.io/evil/${index}`, manifest);
    content.noteAsked(`docker.io/evil/${index}`, DIGEST);
    content.prove(`docker.io/evil/${index}`, OTHER);
  }
  assert.deepEqual(content.claims(DIGEST), before);
  assert.deepEqual(content.askedFor(DIGEST), [], "too many to be known");
});

test("a name without its port is the one with it that an image or a client tells", () => {
  const content = new RepositoryContent();
  content.held.label(DIGEST, "registry.test/team/app");
  assert.deepEqual(namesOf(content), ["registry.test/team/app"]);
  content.held.claim(DIGEST, "registry.test:5000/team/app");
  content.held.label(DIGEST, "registry.test/team/app");
  assert.deepEqual(namesOf(content), ["registry.test:5000/team/app"]);
  content.held.label(DIGEST, "registry.test/team/other");
  assert.equal(namesOf(content).length, 2, "another repository");
  content.noteAsked("registry.test:5000/team/other", DIGEST);
  content.noteAsked("elsewhere.test:5000/team/other", DIGEST);
  assert.deepEqual(content.withPort(DIGEST, "registry.test/team/other"), [
    "registry.test:5000/team/other",
  ]);
});

test("what comes to an image that is there already is weakly claimed, in each later image too", () => {
  const content = new RepositoryContent();
  const note = (name: string, present: string[]) =>
    content.held.note({ name, target: OTHER, present: present as [] }, () => false);
  note("docker.io/evil/app:1", [OTHER]);
  note("docker.io/evil/app:1", [OTHER, DIGEST]);
  const weak = () => content.claims(DIGEST)?.list.map((claim) => claim.weak);
  assert.deepEqual(weak(), [true]);
  note("docker.io/evil/app:1", [OTHER, DIGEST]);
  note("docker.io/evil/app:2", [OTHER, DIGEST]);
  assert.deepEqual(weak(), [true]);
  const images = [{ name: "docker.io/evil/app:1", target: OTHER, present: [OTHER, DIGEST] }];
  content.held.sync(images, () => false, () => true);
  assert.deepEqual(weak(), [true]);
  content.prove("docker.io/evil/app", DIGEST);
  assert.ok(content.isProven("docker.io/evil/app", DIGEST));
});

test("what no image has any more stays claimed as long as it is held, unless it is anybody's", () => {
  const content = new RepositoryContent();
  const isPublic = (name: string) => name.startsWith("docker.io/");
  for (const name of ["ghcr.io/acme/app", "docker.io/library/app"]) {
    content.held.note({ name: `${name}:1`, target: OTHER, present: [OTHER, DIGEST] }, () => false);
  }
  const left = [{ name: "quay.io/x/app:1", target: OTHER, present: [OTHER] }];
  content.held.sync(left, () => false, isPublic);
  assert.deepEqual(namesOf(content), ["ghcr.io/acme/app"]);
  assert.deepEqual(content.held.loose(), [DIGEST]);
  content.held.forget(DIGEST);
  assert.equal(content.claims(DIGEST), undefined);
});
