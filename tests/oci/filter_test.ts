import assert from "node:assert/strict";
import { createReferenceFilter, type ReferenceFilterOptions } from "../../lib/oci/filter.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import { test } from "../support/test.ts";

const OPEN: ReferenceFilterOptions = {
  mirroredRegistries: [],
  registryFilters: [],
  resolveTags: true,
  resolveLatestTag: true,
};
const DIGEST = `sha256:${"c".repeat(64)}`;

test("filters: which references pass", () => {
  const cases: [options: Partial<ReferenceFilterOptions>, name: string, passes: boolean][] = [
    [{}, "docker.io/library/nginx:latest", true],
    [{ mirroredRegistries: ["docker.io"] }, "docker.io/a:1", true],
    [{ mirroredRegistries: ["docker.io"] }, "quay.io/a:1", false],
    [{ mirroredRegistries: ["docker.io"] }, "docker.io:443/a:1", false],
    [{ mirroredRegistries: ["docker.io"] }, `quay.io/a@${DIGEST}`, false],
    [{ resolveTags: false }, "docker.io/a:1", false],
    [{ resolveTags: false }, `docker.io/a@${DIGEST}`, true],
    [{ resolveTags: false }, `docker.io/a:1@${DIGEST}`, true],
    [{ resolveLatestTag: false }, "docker.io/a:latest", false],
    [{ resolveLatestTag: false }, "docker.io/a:1", true],
    [{ resolveLatestTag: false }, `docker.io/a:latest@${DIGEST}`, true],
    [{ registryFilters: [/^docker\.io\/private\//] }, "docker.io/private/a:1", false],
    [{ registryFilters: [/^docker\.io\/private\//] }, "docker.io/public/a:1", true],
    [{ registryFilters: [/:dev$/, /^ghcr/] }, "docker.io/a:dev", false],
    [{ registryFilters: [/:dev$/, /^ghcr/] }, `ghcr.io/a@${DIGEST}`, false],
  ];
  for (const [options, name, passes] of cases) {
    const reference = parseReference(name);
    assert.ok(reference, name);
    const filter = createReferenceFilter({ ...OPEN, ...options });
    assert.equal(filter(reference), passes, `${name} ${JSON.stringify(options)}`);
  }
});

test("filters: a digest without a registry passes unless a pattern matches", () => {
  const reference = { registry: "", repository: "a", digest: `sha256:${"c".repeat(64)}` as const };
  assert.ok(createReferenceFilter({ ...OPEN, mirroredRegistries: ["docker.io"] })(reference));
  assert.ok(!createReferenceFilter({ ...OPEN, registryFilters: [/^a@/] })(reference));
});

test("filters: where names are filtered, a registry whose port is not known passes none", () => {
  const reference = {
    ...{ registry: "host", repository: "team/app", portless: true },
    digest: `sha256:${"c".repeat(64)}` as const,
  };
  const passes = (options: Partial<ReferenceFilterOptions>) =>
    createReferenceFilter({ ...OPEN, ...options })(reference);
  assert.ok(passes({}));
  assert.ok(passes({ resolveTags: false }));
  assert.ok(!passes({ registryFilters: [/^host:5000\//] }));
  assert.ok(!passes({ mirroredRegistries: ["host:5000"] }));
  assert.ok(!passes({ mirroredRegistries: ["host"] }), "it may be of host:5000");
  assert.ok(passes({ mirroredRegistries: ["_default"] }));
});
