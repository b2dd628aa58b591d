import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { test } from "../support/test.ts";
import { checkLayering, layerOf, type SourceModule } from "./layering.ts";
import { moduleGraph } from "./module_graph.ts";
import { ROOT, sourceFiles } from "./source_files.ts";

function module(path: string, ...targets: string[]): SourceModule {
  return {
    path,
    imports: targets.map((target) => ({
      target: target.replace(/^type /, ""),
      typeOnly: target.startsWith("type "),
    })),
  };
}

test("layering: layers of paths", () => {
  const cases: [path: string, layer: string | undefined][] = [
    ["main.ts", "main"],
    ["lib/ports/store.ts", "ports"],
    ["demo/demo.ts", "demo"],
    ["lib/version.ts", "version"],
    ["lib/config.ts", "config"],
    ["lib/config/options.ts", "config"],
    ["lib/registry/answer.ts", "registry"],
    ["lib/store/containerd/content.ts", "store"],
    ["tests/fakes/log.ts", undefined],
    ["library/x.ts", undefined],
  ];
  for (const [path, layer] of cases) assert.equal(layerOf(path), layer, path);
});

test("layering: what may be imported, and what is told otherwise", () => {
  const good: SourceModule[] = [
    module("main.ts", "lib/commands/run.ts", "lib/config/parse.ts", "node:process"),
    module("lib/commands/run.ts", "lib/registry/a.ts", "lib/mirror/a.ts", "lib/config/parse.ts"),
    module(
      "lib/registry/a.ts",
      "lib/registry/b.ts",
      "lib/ports/store.ts",
      "lib/oci/a.ts",
      "npm:hono",
    ),
    module("lib/advertiser/a.ts", "type lib/ports/store.ts", "lib/async/clock.ts", "npm:lru-cache"),
    module("lib/ports/store.ts", "type lib/oci/a.ts"),
    module("lib/async/clock.ts", "type lib/ports/store.ts"),
    module("lib/config/parse.ts", "npm:zod", "npm:yaml", "lib/config/types.ts", "lib/oci/a.ts"),
    module("lib/agent/a.ts", "lib/config/parse.ts", "lib/registry/a.ts", "lib/mirror/a.ts"),
    module("demo/a.ts", "lib/agent/a.ts", "lib/commands/io.ts"),
    module("lib/router/a.ts", "lib/router/libp2p/a.ts", "lib/router/dht/a.ts"),
    module("lib/router/peers/a.ts", "lib/router/dht/a.ts", "lib/router/options.ts"),
    module("lib/router/a.ts", "npm:libp2p", "npm:@libp2p/tcp", "npm:multiformats"),
    module("lib/store/a.ts", "npm:@grpc/grpc-js", "npm:protobufjs", "lib/files/a.ts"),
  ];
  assert.deepEqual(checkLayering(good), []);

  const bad: [planted: SourceModule, told: RegExp][] = [
    [module("lib/registry/a.ts", "lib/mirror/a.ts"), /\(registry\) must not import .*\(mirror\)/],
    [module("lib/registry/a.ts", "type lib/mirror/a.ts"), /must not import/],
    [module("lib/agent/a.ts", "lib/commands/a.ts"), /\(agent\) must not import .*\(commands\)/],
    [module("lib/commands/a.ts", "demo/a.ts"), /must not import/],
    [module("lib/router/libp2p/a.ts", "lib/router/dht/a.ts"), /\(router\/libp2p\) must not import/],
    [module("lib/router/dht/a.ts", "lib/router/create_router.ts"), /\(router\/dht\) must not/],
    [module("lib/mirror/http/a.ts", "type lib/mirror/selection/a.ts"), /\(mirror\/http\) must not/],
    [module("lib/mirror/other/a.ts", "lib/mirror/http/a.ts"), /in no known room of mirror/],
    [module("lib/advertiser/a.ts", "lib/router/a.ts"), /must not import/],
    [module("lib/mirror/a.ts", "lib/commands/a.ts"), /must not import/],
    [module("lib/mirror/a.ts", "lib/config/options.ts"), /must not import/],
    [module("lib/mirror/a.ts", "lib/config.ts"), /must not import/],
    [module("lib/mirror/a.ts", "main.ts"), /must not import/],
    [module("lib/oci/a.ts", "lib/ports/store.ts"), /must not import/],
    [module("lib/oci/a.ts", "lib/async/clock.ts"), /must not import/],
    [module("lib/ports/store.ts", "lib/oci/a.ts"), /only types/],
    [module("lib/ports/store.ts", "type lib/async/clock.ts"), /must not import/],
    [module("lib/async/a.ts", "lib/oci/a.ts"), /must not import/],
    [module("lib/files/a.ts", "lib/async/a.ts"), /must not import/],
    [module("lib/config/a.ts", "lib/registry/a.ts"), /must not import/],
    [module("main.ts", "lib/registry/a.ts"), /must not import/],
    [module("lib/newcomer/a.ts", "lib/ports/store.ts"), /in no known layer/],
    [module("lib/mirror/a.ts", "lib/newcomer/a.ts"), /must not import/],
    [module("lib/mirror/a.ts", "tests/fakes/log.ts"), /no part of the application/],
    [module("lib/mirror/a.ts", "https://host/x.ts"), /no part of the application/],
    [module("lib/mirror/a.ts", "jsr:@std/path"), /no part of the application/],
    [module("lib/mirror/a.ts", "npm:hono"), /must not import hono/],
    [module("lib/commands/a.ts", "npm:hono"), /must not import hono/],
    [module("lib/mirror/a.ts", "npm:@libp2p/interface"), /stays in router/],
    [module("lib/router/a.ts", "npm:@grpc/grpc-js"), /stays in store/],
    [module("lib/store/a.ts", "npm:smol-toml"), /stays in configurator/],
    [module("lib/registry/a.ts", "npm:prom-client"), /stays in observability/],
    [module("lib/registry/a.ts", "npm:zod"), /stays in access, agent, commands, config/],
    [module("lib/commands/a.ts", "npm:@kubernetes/client-node"), /stays in kubernetes/],
    [module("lib/oci/a.ts", "npm:fast-check"), /stays in tests/],
  ];
  for (const [planted, told] of bad) {
    const violations = checkLayering([planted]);
    assert.equal(violations.length, 1, JSON.stringify(planted));
    assert.match(violations[0] ?? "", told);
  }
});

test("layering: cycles are told", () => {
  const modules = [
    module("lib/oci/a.ts", "lib/oci/b.ts"),
    module("lib/oci/b.ts", "lib/oci/c.ts", "lib/oci/d.ts"),
    module("lib/oci/c.ts", "lib/oci/a.ts"),
    module("lib/oci/d.ts"),
  ];
  assert.deepEqual(checkLayering(modules), [
    "cycle: lib/oci/a.ts → lib/oci/b.ts → lib/oci/c.ts → lib/oci/a.ts",
  ]);
  assert.deepEqual(checkLayering([module("lib/oci/a.ts", "lib/oci/a.ts")]), [
    "cycle: lib/oci/a.ts → lib/oci/a.ts",
  ]);
});

test("layering: a sibling import planted in real files is found", async () => {
  const folder = await Deno.makeTempDir({ prefix: "eddy-planted-" });
  try {
    const files = {
      "deno.json": "{}",
      "lib/mirror/a.ts": "export type A = string;\nexport const a = 1;\n",
      "lib/registry/typed.ts": 'import type { A } from "../mirror/a.ts";\nexport type B = A;\n',
      "lib/registry/lazy.ts": 'export const b = () => import("../mirror/a.ts");\n',
      "lib/registry/again.ts": 'export { a } from "../mirror/a.ts";\n',
    };
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(new URL(".", pathToFileURL(`${folder}/${path}`)), { recursive: true });
      await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    const sources = Object.keys(files).filter((path) => path.endsWith(".ts"));
    const modules = await moduleGraph(sources, pathToFileURL(`${folder}/`));
    assert.deepEqual(
      checkLayering(modules).toSorted(),
      ["again", "lazy", "typed"].map((name) =>
        `lib/registry/${name}.ts (registry) must not import lib/mirror/a.ts (mirror)`
      ),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("layering: the application keeps the dependency rule", async () => {
  const files = await sourceFiles();
  const modules = await moduleGraph(files, ROOT);
  const paths = new Set(modules.map(({ path }) => path));
  for (const file of files) assert.ok(paths.has(file), `${file} is missing from the graph`);
  assert.ok(modules.some(({ imports }) => imports.some(({ target }) => target === "npm:hono")));
  assert.deepEqual(checkLayering(modules), []);
});
