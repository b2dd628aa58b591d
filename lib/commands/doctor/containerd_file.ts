import { dirname, isAbsolute, join } from "node:path";
import {
  type ContainerdConfigFile,
  parseContainerdConfig,
} from "../../configurator/containerd_config.ts";
import type { Check } from "../../ports/check.ts";
import { failed, ok, skipped, warning } from "../../agent/preflight.ts";
import { messageOf } from "../../async/thrown.ts";

const NAME = "containerd's configuration file";
/** Bound of the files that are read. */
const MAX_IMPORTS = 100;

/** Findings in containerd's configuration file and its imports. */
export interface ContainerdFileReport {
  readonly check: Check;
  /** `use_local_image_pull`; undefined if it is not set, or the file is unreadable. */
  readonly localImagePull: boolean | undefined;
}

/**
 * Checks for settings that keep containerd from using registry hosts. A missing or unreadable file
 * is not a failure: in a pod it is seldom mounted.
 *
 * @param version containerd's.
 */
export async function checkContainerdFile(
  path: string,
  version: string,
): Promise<ContainerdFileReport> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "is not there"
      : `cannot be read (${error})`;
    return { check: skipped(NAME, `${path} ${why}`), localImagePull: undefined };
  }
  try {
    const all = await withImports({ path, file: parseContainerdConfig(text) });
    const localImagePull = all.findLast(({ file }) => file.localImagePull !== undefined)
      ?.file.localImagePull;
    return { check: judge(all, version), localImagePull };
  } catch (error) {
    const why = messageOf(error);
    return {
      check: failed(NAME, `${path} cannot be read: ${why}`, "correct it and restart containerd"),
      localImagePull: undefined,
    };
  }
}

interface ReadFile {
  readonly path: string;
  readonly file: ContainerdConfigFile;
}

function judge(files: readonly ReadFile[], version: string): Check {
  const conflict = files.find(({ file }) => file.mirrors.length > 0);
  const tls = files.find(({ file }) => file.tlsHosts.length > 0);
  if (tls !== undefined && files.some(({ file }) => file.configPath !== undefined)) {
    const found = `${tls.path} has registry.configs with tls for ${tls.file.tlsHosts.join(", ")} ` +
      "beside config_path: containerd ";
    const fix =
      "move the TLS settings into hosts.toml files (ca, client, skip_verify) and restart containerd";
    return /^v?1\./.test(version)
      ? failed(NAME, `${found}1.6 and 1.7 do not load their CRI plugin then`, fix)
      : warning(NAME, `${found}${version} does not use them`, fix);
  }
  if (conflict === undefined) return ok(NAME, `${files[0]?.path} has no settings that bypass Eddy`);
  return failed(
    NAME,
    `${conflict.path} has registry.mirrors for ${conflict.file.mirrors.join(", ")}, which rules ` +
      "out a config_path, and with it Eddy",
    "remove the registry.mirrors sections, put such mirrors into hosts.toml files (Eddy keeps " +
      "them behind itself), and restart containerd",
  );
}

/**
 * A file and those that it imports, in containerd's order: imports of imports come last. Imports are
 * paths or patterns with `*`, relative to the directory of the file that names them.
 */
async function withImports(main: ReadFile): Promise<readonly ReadFile[]> {
  const read = [main];
  const known = new Set([main.path]);
  for (let at = 0; at < read.length; at++) {
    const { path, file } = read[at] ?? main;
    for (const wanted of file.imports) {
      const full = isAbsolute(wanted) ? wanted : join(dirname(path), wanted);
      for (const found of full.includes("*") ? await expand(full) : [full]) {
        if (known.has(found) || known.size >= MAX_IMPORTS) continue;
        known.add(found);
        const text = await Deno.readTextFile(found).catch(() => undefined);
        if (text !== undefined) read.push({ path: found, file: parseContainerdConfig(text) });
      }
    }
  }
  return read;
}

/** The paths that match a pattern, sorted; `*` is any part of one name. */
async function expand(pattern: string): Promise<string[]> {
  const folder = dirname(pattern);
  const last = pattern.slice(folder.length).replace(/^\//, "");
  const folders = folder.includes("*") ? await expand(folder) : [folder];
  if (!last.includes("*")) return folders.map((each) => join(each, last));
  const parts = last.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const matches = new RegExp(`^${parts.join(".*")}$`);
  const paths = [];
  for (const each of folders.slice(0, MAX_IMPORTS)) {
    const entries = await Array.fromAsync(Deno.readDir(each)).catch(() => []);
    const names = entries.map(({ name }) => name).filter((name) => matches.test(name)).sort();
    paths.push(...names.map((name) => join(each, name)));
  }
  return paths;
}
