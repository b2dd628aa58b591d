/** A module of the project and what it imports. */
export interface SourceModule {
  /** Path below the project, e.g. `lib/oci/digest.ts`. */
  readonly path: string;
  readonly imports: readonly SourceImport[];
}

/** One import of a module. */
export interface SourceImport {
  /** Path below the project, `npm:NAME`, `node:NAME`, or another specifier as it is. */
  readonly target: string;
  /** Imports types only, so that nothing is loaded. */
  readonly typeOnly: boolean;
}

/** Concepts that know nothing of each other. */
const PARTS = [
  "access",
  "registry",
  "mirror",
  "router",
  "store",
  "configurator",
  "advertiser",
  "kubernetes",
  "observability",
  "upstream",
];
/** What every part may import besides itself. */
const COMMON = ["ports", "oci", "async", "files", "net"];

/** Layer to the layers that it may import. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  main: ["commands", "config"],
  commands: ["commands", "config", "version", ...COMMON, ...PARTS],
  config: ["config", "oci"],
  ports: ["oci", "ports"],
  oci: ["oci"],
  async: ["async", "ports"],
  net: ["net", "async", "ports"],
  files: ["files"],
  version: [],
  ...Object.fromEntries(PARTS.map((part) => [part, [part, ...COMMON]])),
};

/** Layers that import other layers for their types only. */
const TYPES_ONLY = new Set(["ports"]);

/** Vendors that stay in their layers; all others may be used anywhere but in `oci` and `ports`. */
const VENDORS: readonly (readonly [name: RegExp, layers: readonly string[]])[] = [
  [/^hono$/, ["registry", "observability"]],
  [/^(libp2p|@libp2p\/.*|@chainsafe\/.*|@multiformats\/.*|multiformats)$/, ["router"]],
  [/^(@grpc\/.*|protobufjs)$/, ["store"]],
  [/^@kubernetes\/.*$/, ["kubernetes"]],
  [/^smol-toml$/, ["configurator"]],
  [/^prom-client$/, ["observability"]],
  [/^yaml$/, ["commands", "config"]],
  // Wherever documents from outside are read.
  [/^zod$/, ["access", "commands", "config", "configurator", "store", "upstream"]],
  [/^fast-check$/, []],
];

/** The layer that a path belongs to; undefined for paths outside of the application. */
export function layerOf(path: string): string | undefined {
  if (path === "main.ts") return "main";
  const match = /^lib\/([^/]+?)(?:\.ts$|\/)/.exec(path);
  return match?.[1];
}

/**
 * Checks the dependency rule (design: "Dependency rule") on a graph of modules.
 *
 * @returns one sentence a violation; none if the rule is kept.
 */
export function checkLayering(modules: readonly SourceModule[]): string[] {
  return [
    ...modules.flatMap((module) =>
      module.imports.flatMap((each) => checkImport(module.path, each))
    ),
    ...findCycles(modules),
  ];
}

function checkImport(path: string, { target, typeOnly }: SourceImport): string[] {
  const from = layerOf(path);
  const allowed = from === undefined ? undefined : ALLOWED[from];
  if (from === undefined || allowed === undefined) return [`${path} is in no known layer`];
  if (target.startsWith("node:")) return [];
  if (target.startsWith("npm:")) return checkVendor(path, from, target.slice("npm:".length));
  const to = layerOf(target);
  if (to === undefined) return [`${path} imports ${target}, which is no part of the application`];
  if (!allowed.includes(to)) return [`${path} (${from}) must not import ${target} (${to})`];
  if (TYPES_ONLY.has(from) && to !== from && !typeOnly) {
    return [`${path} must import only types of ${target}`];
  }
  return [];
}

function checkVendor(path: string, from: string, name: string): string[] {
  const [, layers] = VENDORS.find(([pattern]) => pattern.test(name)) ?? [];
  if (layers === undefined || layers.includes(from)) return [];
  return [`${path} must not import ${name}, which stays in ${layers.join(", ") || "tests"}`];
}

/** Each strongly connected group of modules, told by one way around it. */
function findCycles(modules: readonly SourceModule[]): string[] {
  const graph = new Map(modules.map(({ path, imports }) => [path, imports.map((i) => i.target)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, above: readonly string[]): void => {
    const start = above.indexOf(path);
    if (start >= 0) {
      cycles.push(`cycle: ${[...above.slice(start), path].join(" → ")}`);
      return;
    }
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...above, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}
