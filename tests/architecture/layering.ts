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
  "layers",
  "kubernetes",
  "observability",
  "upstream",
];
/** What every part may import besides itself. */
const COMMON = ["ports", "oci", "async", "files", "net"];

/** Layer to the layers that it may import. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  main: ["commands", "config"],
  demo: ["demo", "commands", "agent", "config", "version", ...COMMON, ...PARTS],
  commands: ["commands", "agent", "config", "version", ...COMMON, ...PARTS],
  agent: ["agent", "config", "version", ...COMMON, ...PARTS],
  config: ["config", "oci"],
  ports: ["ports", "oci"],
  oci: ["oci"],
  async: ["async", "ports"],
  net: ["net", "async", "ports"],
  files: ["files"],
  version: [],
  ...Object.fromEntries(PARTS.map((part) => [part, [part, ...COMMON]])),
};

/**
 * The rooms inside of a part, each with those that it may import. Files beside them put the rooms
 * together: no room imports them, but for the settings.
 */
const ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  mirror: {
    memory: [],
    hashing: [],
    http: [],
    selection: ["http"],
    split: ["http", "selection"],
    transfer: ["memory", "hashing", "http", "selection", "split"],
    whole: ["memory", "http", "selection", "transfer"],
  },
  router: {
    libp2p: [],
    dht: ["libp2p"],
    bootstrap: ["libp2p"],
    peers: ["libp2p", "dht", "bootstrap"],
    providers: ["libp2p", "dht", "peers"],
    rollout: ["libp2p", "dht", "peers"],
  },
};
const SETTINGS = "options.ts";

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
  [/^yaml$/, ["agent", "commands", "config"]],
  // Wherever documents from outside are read.
  [/^zod$/, ["access", "agent", "commands", "config", "configurator", "store", "upstream"]],
  [/^fast-check$/, []],
];

/** The layer that a path belongs to; undefined for paths outside of the application. */
export function layerOf(path: string): string | undefined {
  if (path === "main.ts") return "main";
  if (path.startsWith("demo/")) return "demo";
  const match = /^lib\/([^/]+?)(?:\.ts$|\/)/.exec(path);
  return match?.[1];
}

/**
 * Checks the dependency rule (CONTRIBUTING.md, "Where things are") on a graph of modules.
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
  const rooms = checkRooms(path, from, target, to);
  if (rooms !== undefined) return [rooms];
  if (TYPES_ONLY.has(from) && to !== from && !typeOnly) {
    return [`${path} must import only types of ${target}`];
  }
  return [];
}

function checkRooms(path: string, from: string, target: string, to: string): string | undefined {
  const rooms = ROOMS[from];
  if (rooms === undefined || from !== to) return undefined;
  const [room, other] = [roomOf(path), roomOf(target)];
  if (room === undefined || room === other) return undefined;
  const allowed = rooms[room];
  if (allowed === undefined) return `${path} is in no known room of ${from}`;
  if (other === undefined ? target.endsWith(`/${SETTINGS}`) : allowed.includes(other)) return;
  return `${path} (${from}/${room}) must not import ${target}`;
}

/** The room that a path is in: `libp2p` of `lib/router/libp2p/host.ts`. */
function roomOf(path: string): string | undefined {
  return /^lib\/[^/]+\/([^/]+)\//.exec(path)?.[1];
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
