import { dirname, isAbsolute, join } from "node:path";
import {
  type ContainerdConfigFile,
  parseContainerdConfig,
} from "../../configurator/containerd_config.ts";
import type { Check } from "../../ports/check.ts";
import { failed, ok, skipped } from "../../agent/preflight.ts";
import { messageOf } from "../../async/thrown.ts";

const NAME = "containerd's configuration file";
/** Bound of the drop-in files that are read. */
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
 */
export async function checkContainerdFile(path: string): Promise<ContainerdFileReport> {
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
    const main = parseContainerdConfig(text);
    const imported = await readImports(main.imports, dirname(path));
    const all = [{ path, file: main }, ...imported];
    const localImagePull = all.findLast(({ file }) => file.localImagePull !== undefined)
      ?.file.localImagePull;
    return { check: judge(all), localImagePull };
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

function judge(files: readonly ReadFile[]): Check {
  const conflict = files.find(({ file }) => file.mirrors.length > 0);
  const tls = files.find(({ file }) => file.tlsHosts.length > 0);
  if (tls !== undefined && files.some(({ file }) => file.configPath !== undefined)) {
    return failed(
      NAME,
      `${tls.path} has registry.configs with tls for ${tls.file.tlsHosts.join(", ")} beside ` +
        "config_path: containerd 1.6 and 1.7 do not load their CRI plugin then",
      "move the TLS settings into hosts.toml files (ca, client, skip_verify) and restart containerd",
    );
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

/** Imports are paths or patterns with `*` in their last part, relative to the file's directory. */
async function readImports(imports: readonly string[], base: string): Promise<ReadFile[]> {
  const paths: string[] = [];
  for (const wanted of imports) {
    const full = isAbsolute(wanted) ? wanted : join(base, wanted);
    if (!full.includes("*")) paths.push(full);
    else paths.push(...await expand(full));
  }
  const read: ReadFile[] = [];
  for (const path of paths.slice(0, MAX_IMPORTS)) {
    const text = await Deno.readTextFile(path).catch(() => undefined);
    if (text !== undefined) read.push({ path, file: parseContainerdConfig(text) });
  }
  return read;
}

async function expand(pattern: string): Promise<string[]> {
  const folder = dirname(pattern);
  const last = pattern.slice(folder.length).replace(/^\//, "");
  const parts = last.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const matches = new RegExp(`^${parts.join(".*")}$`);
  try {
    const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    return names.filter((name) => matches.test(name)).sort().map((name) => join(folder, name));
  } catch {
    return [];
  }
}
