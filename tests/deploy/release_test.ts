import assert from "node:assert/strict";
import { parse } from "yaml";
import { releaseNotes } from "../../deploy/release_notes.ts";
import { test } from "../support/test.ts";

interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, {
    readonly permissions?: Record<string, string>;
    readonly "timeout-minutes"?: number;
    readonly steps: readonly {
      readonly uses?: string;
      readonly run?: string;
      readonly with?: Record<string, unknown>;
    }[];
  }>;
}

const root = new URL("../../", import.meta.url);
const read = (file: string) => Deno.readTextFile(new URL(file, root));
const RELEASE = ".github/workflows/release.yaml";
const CHECK = ".github/workflows/check.yaml";
const workflow = parse(await read(RELEASE)) as Workflow;
const jobs = Object.entries(workflow.jobs);

test("release: each job has only the rights that it names, and a time limit", () => {
  assert.deepEqual(workflow.permissions, {});
  const granted = Object.fromEntries(jobs.map(([name, job]) => [name, job.permissions]));
  assert.deepEqual(granted, {
    check: { contents: "read" },
    binary: { contents: "read" },
    image: { contents: "read", packages: "write", "id-token": "write", attestations: "write" },
    chart: { contents: "read", packages: "write", "id-token": "write" },
    release: { contents: "write", "id-token": "write", attestations: "write" },
  });
  for (const [name, job] of jobs) assert.ok((job["timeout-minutes"] ?? 999) <= 30, name);
});

for (const path of [RELEASE, CHECK]) {
  test(`${path}: actions are pinned by their commit, and keep no credentials`, async () => {
    const text = await read(path);
    const steps = Object.values((parse(text) as Workflow).jobs).flatMap(({ steps }) => steps);
    const used = steps.filter(({ uses }) => uses !== undefined);
    assert.ok(used.length > 2);
    for (const step of used) {
      assert.match(step.uses ?? "", /^(actions|docker|sigstore)\/[a-z-]+@[0-9a-f]{40}$/);
      // The version is for people, and for what proposes newer ones.
      assert.match(text, new RegExp(`uses: ${step.uses} # v\\d+\\.\\d+\\.\\d+\n`));
      if (step.uses?.startsWith("actions/checkout@")) {
        assert.equal(step.with?.["persist-credentials"], false);
      }
    }
    // Text of an event inside a script would be run as part of it.
    for (const { run = "" } of steps) assert.doesNotMatch(run, /\$\{\{/);
    for (const [, script = ""] of text.matchAll(/\b((?:deploy|\.ci)\/[\w/.-]+)/g)) {
      await Deno.stat(new URL(script, root));
    }
  });
}

test("the same Deno is named wherever it is pinned", async () => {
  const pins: [string, RegExp][] = [
    [".github/workflows/release.yaml", /DENO: deno@(\S+)/g],
    [".ci/run", /DENO_VERSION=(\S+)/g],
    ["Containerfile", /denoland\/deno:(\S+)/g],
    ["README.md", /npx -y deno@(\S+)/g],
    ["CONTRIBUTING.md", /npx -y deno@(\S+)/g],
  ];
  const found = new Map<string, string>();
  for (const [file, pattern] of pins) {
    const versions = [...(await read(file)).matchAll(pattern)].map(([, version = ""]) => version);
    assert.ok(versions.length > 0, `${file} pins Deno`);
    for (const version of versions) found.set(version, file);
  }
  assert.equal(found.size, 1, JSON.stringify([...found]));
});

test("the changelog has the form of keep a changelog, newest first", async () => {
  const changelog = await read("CHANGELOG.md");
  const headings = [...changelog.matchAll(/^## (.*)$/gm)].map(([, heading = ""]) => heading);
  assert.equal(headings[0], "[Unreleased]");
  for (const heading of headings.slice(1)) {
    assert.match(heading, /^\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}$/);
  }
  const kinds = [...changelog.matchAll(/^### (.*)$/gm)].map(([, kind = ""]) => kind);
  const known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
  assert.deepEqual(kinds.filter((kind) => !known.includes(kind)), []);
});

const CHANGELOG = `# Changelog

## [Unreleased]

## [1.1.0] - 2026-02-01

### Added

- More.

## [1.0.0] - 2026-01-01

- First.

[1.0.0]: https://example.test/1.0.0
`;

for (
  const [version, notes] of [
    ["v1.1.0", "### Added\n\n- More."],
    ["1.0.0", "- First."],
    ["v1.1", undefined],
    ["Unreleased", undefined],
    ["", undefined],
  ] as const
) {
  test(`release notes of ${JSON.stringify(version)}`, () => {
    assert.equal(releaseNotes(CHANGELOG, version), notes);
  });
}
