import type { Config } from "../config/options.ts";
import { registryHost } from "../config/types.ts";
import { registryOfFolder } from "../configurator/settings.ts";
import { isWildcardRegistry } from "../oci/filter.ts";

/** The registries that are mirrored by name, and those of the folders of the mirror configuration. */
export async function configuredRegistries(
  { mirroredRegistries }: Pick<Config, "mirroredRegistries">,
  configPath: string | undefined,
): Promise<string[]> {
  const folders = configPath === undefined ? [] : await foldersOf(configPath);
  const named = [...mirroredRegistries.map(registryHost), ...folders.map(registryOfFolder)]
    .filter((registry) => registry !== undefined && !isWildcardRegistry(registry));
  return [...new Set(named)].map(String);
}

/** The registries of repositories (`registry/repository`), each once. */
export function registriesOf(repositories: Iterable<string>): string[] {
  const registries = new Set<string>();
  for (const name of repositories) registries.add(name.slice(0, Math.max(name.indexOf("/"), 0)));
  registries.delete("");
  return [...registries];
}

async function foldersOf(path: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
  } catch {
    // Whether the directory is there is another check's concern.
    return [];
  }
}
