import { parse } from "smol-toml";
import { messageOf } from "../async/thrown.ts";

/** The registry settings in containerd's configuration file. */
export interface ContainerdConfigFile {
  /** Registries under the deprecated `registry.mirrors`. */
  readonly mirrors: readonly string[];
  /** Value of `config_path`; undefined if unset or empty. */
  readonly configPath: string | undefined;
  /** Hosts with TLS settings under the deprecated `registry.configs`. */
  readonly tlsHosts: readonly string[];
  /** Value of `use_local_image_pull`; undefined if unset. */
  readonly localImagePull: boolean | undefined;
  /** Imported files or glob patterns. */
  readonly imports: readonly string[];
}

/** Sections with image settings, in containerd 2.x and in 1.x (which 2.x migrates). */
const SECTIONS = ["io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri", "cri"];

/**
 * Reads the parts of a containerd configuration file (versions 1 to 3) that decide whether registry
 * hosts are used.
 *
 * @throws {Error} with a one-line message if it cannot be parsed.
 */
export function parseContainerdConfig(text: string): ContainerdConfigFile {
  let root: Record<string, unknown>;
  try {
    root = parse(text, { integersAsBigInt: true });
  } catch (error) {
    const message = messageOf(error);
    throw new Error(message.split("\n")[0] ?? message, { cause: error });
  }
  const plugins = table(root["plugins"]);
  const sections = SECTIONS.map((name) => table(plugins[name]));
  const registries = sections.map((section) => table(section["registry"]));
  const pulls = sections.map((section) => section["use_local_image_pull"]);
  return {
    mirrors: registries.flatMap((registry) => Object.keys(table(registry["mirrors"]))),
    configPath: registries.map((registry) => registry["config_path"])
      .find((path) => typeof path === "string" && path !== "") as string | undefined,
    tlsHosts: registries.flatMap((registry) =>
      Object.entries(table(registry["configs"]))
        .filter(([, settings]) => table(settings)["tls"] !== undefined)
        .map(([host]) => host)
    ),
    localImagePull: pulls.find((value) => typeof value === "boolean"),
    imports: (Array.isArray(root["imports"]) ? root["imports"] : [])
      .filter((path) => typeof path === "string"),
  };
}

function table(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
