import { fileURLToPath } from "node:url";
import type { SourceImport, SourceModule } from "./layering.ts";

/** The part of `deno info --json` that is read here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string; readonly error?: string };
      readonly type?: { readonly specifier?: string; readonly error?: string };
    }[];
  }[];
}

/**
 * The modules of a project that these files reach, as Deno resolves them, dynamic and type-only
 * imports included.
 *
 * @param paths files below the project.
 * @param project its folder, which has a `deno.json`; with a slash at the end.
 */
export async function moduleGraph(paths: readonly string[], project: URL): Promise<SourceModule[]> {
  const folder = await Deno.makeTempDir({ prefix: "eddy-graph-" });
  try {
    // One root that imports all files: files that nothing imports yet are checked as well.
    const root = `${folder}/root.ts`;
    const imports = paths.map((path) => `import ${JSON.stringify(new URL(path, project).href)};`);
    await Deno.writeTextFile(root, imports.join("\n"));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", fileURLToPath(new URL("deno.json", project)), root],
      stdout: "piped",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`deno info failed: ${new TextDecoder().decode(stderr)}`);
    return toModules(JSON.parse(new TextDecoder().decode(stdout)), project);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function toModules(info: Info, project: URL): SourceModule[] {
  return info.modules.flatMap(({ specifier, error, dependencies = [] }) => {
    const path = pathBelow(project, specifier);
    if (path === undefined) return [];
    if (error !== undefined) throw new Error(`${path}: ${error}`);
    return [{ path, imports: dependencies.map((each) => toImport(each, project)) }];
  });
}

type Dependency = NonNullable<Info["modules"][number]["dependencies"]>[number];

function toImport({ specifier, code, type }: Dependency, project: URL): SourceImport {
  const resolved = code?.specifier ?? type?.specifier ?? specifier;
  return { target: pathBelow(project, resolved) ?? vendor(resolved), typeOnly: code === undefined };
}

function pathBelow(project: URL, url: string): string | undefined {
  return url.startsWith(project.href)
    ? fileURLToPath(url).slice(fileURLToPath(project).length)
    : undefined;
}

/** `npm:/@libp2p/crypto@5.1.23/keys` → `npm:@libp2p/crypto`. */
function vendor(specifier: string): string {
  const match = /^npm:\/?((?:@[^/@]+\/)?[^/@]+)/.exec(specifier);
  return match === null ? specifier : `npm:${match[1]}`;
}
