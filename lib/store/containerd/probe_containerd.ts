import { messageOf } from "../../async/thrown.ts";
import { isDigest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { type ContainerdClient, ContainerdError } from "./client.ts";
import { ContainerdContent } from "./content.ts";
import { methods, type PluginRecord } from "./methods.ts";

/** Image settings of containerd's CRI plugin. */
export interface CriProbe {
  /**
   * Directories of `registry.config_path`, in order; empty if it is not set, undefined if
   * containerd does not report it.
   */
  readonly registryConfigPaths: readonly string[] | undefined;
  /** Whether layers are dropped once unpacked; undefined if containerd does not report it. */
  readonly discardUnpackedLayers: boolean | undefined;
}

/** Whether containerd's blobs can be read as files. */
export type ContentProbe =
  /** A known blob was found there, or the directory exists and containerd is empty. */
  | { readonly state: "readable"; readonly path: string }
  /** The directory cannot be listed. */
  | { readonly state: "unreadable"; readonly path: string; readonly error: string }
  /** The directory is readable but lacks a known blob: it is the wrong one. */
  | { readonly state: "foreign"; readonly path: string; readonly digest: string }
  /** Neither configured nor reported by containerd. */
  | { readonly state: "unknown" };

/** What a running containerd reports about itself. */
export interface ContainerdProbe {
  readonly reachable: true;
  /** As containerd writes it, e.g. `1.6.20~ds1` or `2.4.2`. */
  readonly version: string;
  /** Result for the configured directory, or else the one that containerd reports. */
  readonly content: ContentProbe;
  /** Undefined without a CRI plugin, or if it failed to start. */
  readonly cri: CriProbe | undefined;
  /** Why the CRI plugin failed to start; undefined if it started or does not exist. */
  readonly criError: string | undefined;
}

export interface ContainerdUnreachable {
  readonly reachable: false;
  readonly error: string;
}

export interface ProbeOptions extends Cancellable {
  /** Content directory to test; default: the one that containerd reports. */
  readonly contentPath?: string | undefined;
  /** Deadline of each call, ms; default 5,000: the CRI plugin may still be starting. */
  readonly timeoutMs?: number;
}

/** Images whose target is looked up among the files. */
const MAX_SAMPLES = 5;

/**
 * Probes a containerd: version, content directory and CRI settings. Judging them is left to the
 * caller.
 *
 * @throws {ContainerdError} if containerd answers the first call and then rejects another.
 */
export async function probeContainerd(
  client: ContainerdClient,
  options: ProbeOptions,
): Promise<ContainerdProbe | ContainerdUnreachable> {
  const settings = { signal: options.signal, timeoutMs: options.timeoutMs ?? 5_000 };
  let version: string;
  try {
    ({ version } = await client.call(methods.version, {}, settings));
  } catch (error) {
    if (options.signal.aborted) throw error;
    return { reachable: false, error: messageOf(error) };
  }
  const { plugins } = await client.call(methods.plugins, { filters: [] }, settings);
  const contentRoot = findPlugin(plugins, "io.containerd.content.v1", "content")?.exports["root"];
  return {
    reachable: true,
    version,
    content: await probeContent(client, options.contentPath ?? contentRoot, settings),
    cri: await probeCri(client, plugins, settings),
    criError: findCriError(plugins),
  };
}

async function probeContent(
  client: ContainerdClient,
  path: string | undefined,
  settings: Cancellable & { timeoutMs: number },
): Promise<ContentProbe> {
  if (path === undefined) return { state: "unknown" };
  try {
    for await (const _entry of Deno.readDir(path)) break;
  } catch (error) {
    return { state: "unreadable", path, error: String(error) };
  }
  const content = new ContainerdContent(client, { contentPath: path });
  const { images } = await client.call(methods.listImages, { filters: [] }, settings);
  for (const { target } of images.slice(0, MAX_SAMPLES)) {
    const digest = target?.digest ?? "";
    if (!isDigest(digest) || await content.info(digest, settings) === undefined) continue;
    if (typeof await content.file(digest) !== "number") return { state: "foreign", path, digest };
  }
  return { state: "readable", path };
}

/**
 * containerd 1.x reports the CRI settings in the CRI status (`info["config"]`). 2.x dropped the
 * image settings from it; the plugin `io.containerd.cri.v1.images` exports them instead, but not in
 * every 2.x.
 */
async function probeCri(
  client: ContainerdClient,
  plugins: readonly PluginRecord[],
  settings: Cancellable & { timeoutMs: number },
): Promise<CriProbe | undefined> {
  let config: Record<string, unknown>;
  try {
    const { info } = await client.call(methods.criStatus, { verbose: true }, settings);
    config = asObject(JSON.parse(info["config"] ?? "{}"));
  } catch (error) {
    if (error instanceof ContainerdError && error.unimplemented) return undefined;
    throw error;
  }
  const exported = findPlugin(plugins, "io.containerd.cri.v1", "images")?.exports ?? {};
  const path = exported["RegistryConfigPath"] ?? asObject(config["registry"])["configPath"];
  const discard = exported["DiscardUnpackedLayers"] ??
    asObject(config["containerd"])["discardUnpackedLayers"];
  return {
    registryConfigPaths: typeof path === "string" ? path.split(":").filter(Boolean) : undefined,
    discardUnpackedLayers: discard === undefined ? undefined : String(discard) === "true",
  };
}

/** The images plugin first: an error of a plugin that depends on it says less. */
function findCriError(plugins: readonly PluginRecord[]): string | undefined {
  const failed = plugins.filter(({ type, id, initErr }) =>
    initErr !== null && (type === "io.containerd.cri.v1" || id === "cri")
  );
  const told = failed.find(({ id }) => id === "images") ?? failed[0];
  return told?.initErr?.message;
}

function findPlugin(plugins: readonly PluginRecord[], type: string, id: string) {
  return plugins.find((plugin) => plugin.type === type && plugin.id === id);
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
