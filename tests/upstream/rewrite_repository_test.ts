import assert from "node:assert/strict";
import { MisconfiguredError } from "../../lib/upstream/misconfigured_error.ts";
import { rewriteRepository } from "../../lib/upstream/rewrite_repository.ts";
import { test } from "../support/test.ts";

const url = "https://harbor.example/v2";

test("repositories are rewritten by rules in Go's syntax", async () => {
  const cases: [rewrites: [string, string][], repository: string, expected: string][] = [
    [[], "acme/app", "acme/app"],
    [[["^(.*)$", "hub/$1"]], "acme/app", "hub/acme/app"],
    [[["(.*)", "hub/$1"]], "acme/app", "hub/acme/app"],
    [[["^rancher/(.*)", "mirror/rancher-images/$1"]], "rancher/k3s", "mirror/rancher-images/k3s"],
    [[["^rancher/(.*)", "mirror/$1"]], "acme/app", "acme/app"],
    // The first that changes the name, not each.
    [[["^x/", "y/"], ["^acme/", "a/"], ["^a/", "b/"]], "acme/app", "a/app"],
    // Go takes the longest name: `$1x` is a group that there is not.
    [[["^(acme)/", "$1x/"]], "acme/app", "/app"],
    [[["^(acme)/", "${1}x/"]], "acme/app", "acmex/app"],
    [[["^(?P<org>[[:alpha:]]+)/", "$org-$$1/"]], "acme/app", "acme-$1/app"],
    [[["a", "b"]], "a/a", "b/b"],
    [[["x*", "-"]], "ab", "-a-b-"],
    [[["^(?:library/|)(.*)\\.(x|y)$", "hub/$1"]], "library/n.x", "hub/n"],
  ];
  for (const [rewrites, repository, expected] of cases) {
    const actual = await rewriteRepository({ url, rewrites }, repository);
    assert.equal(actual, expected, JSON.stringify(rewrites));
  }
  const bad = { url, rewrites: [["(", "x"]] as const };
  await assert.rejects(rewriteRepository(bad, "acme/app"), MisconfiguredError);
});
