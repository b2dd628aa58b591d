import { ConfigError } from "../../config/config_error.ts";
import type {
  ContainerdProbe,
  ContentProbe,
  CriProbe,
} from "../../store/containerd/probe_containerd.ts";

/** What the checks compare with. */
export interface PreflightSettings {
  /** Directory that mirror configuration is written to; undefined: none is written. */
  readonly registryConfigPath: string | undefined;
  /** True if the user named the content path, so that it has to be right. */
  readonly contentPathGiven: boolean;
}

/** Oldest containerd that reads registry hosts from a directory. */
const OLDEST = [1, 5] as const;

/**
 * Decides whether a containerd can be worked with.
 *
 * @returns remarks that are worth a warning but do not stop the start.
 * @throws {ConfigError} that says what to set where.
 */
export function checkContainerd(probe: ContainerdProbe, settings: PreflightSettings): string[] {
  const [major = 0, minor = 0] = versionOf(probe.version);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new ConfigError(
      `containerd is version ${probe.version}, want ${OLDEST.join(".")} or newer, which read ` +
        `registry hosts from a directory`,
    );
  }
  return [
    ...checkContent(probe.content, settings.contentPathGiven),
    ...(probe.cri === undefined
      ? ["containerd has no CRI plugin, its registry settings could not be checked"]
      : checkCri(probe.cri, probe.version, settings.registryConfigPath)),
  ];
}

function checkContent(content: ContentProbe, given: boolean): string[] {
  const fallback = "blobs are read through containerd's socket, which is slower";
  switch (content.state) {
    case "readable":
      return [];
    case "unknown":
      return [`containerd does not tell its content path, ${fallback}`];
    case "unreadable":
      if (!given) return [`${content.path} cannot be read (${content.error}), ${fallback}`];
      throw new ConfigError(
        `--containerd-content-path: got ${JSON.stringify(content.path)}, want a directory that ` +
          `Eddy can read (${content.error})`,
      );
    case "foreign":
      if (!given) return [`${content.path} is not containerd's content directory, ${fallback}`];
      throw new ConfigError(
        `--containerd-content-path: got ${JSON.stringify(content.path)}, want the content ` +
          `directory of this containerd, which has blob ${content.digest}`,
      );
  }
}

function checkCri(cri: CriProbe, version: string, path: string | undefined): string[] {
  const [major = 0] = versionOf(version);
  const file = "/etc/containerd/config.toml (config.toml.tmpl on k3s and RKE2)";
  const images = major >= 2
    ? "[plugins.'io.containerd.cri.v1.images'"
    : '[plugins."io.containerd.grpc.v1.cri"';
  if (cri.discardUnpackedLayers === true) {
    const section = major >= 2 ? `${images}]` : `${images}.containerd]`;
    throw new ConfigError(
      `containerd ${version} discards layers once unpacked, so it has nothing to share: set ` +
        `discard_unpacked_layers = false in section ${section} of ${file} and restart containerd`,
    );
  }
  if (path === undefined) return [];
  if (cri.registryConfigPaths === undefined) {
    return [`containerd does not tell where it reads registry hosts; see that it is ${path}`];
  }
  const paths = cri.registryConfigPaths.map(trim);
  if (!paths.includes(trim(path))) {
    const now = paths.length === 0 ? "no directory" : paths.join(":");
    throw new ConfigError(
      `containerd ${version} reads registry hosts from ${now}, not from ${path}: set config_path = ` +
        `"${path}" in section ${images}.registry] of ${file} and restart containerd, or set ` +
        `--containerd-registry-config-path to the directory it reads`,
    );
  }
  if (paths[0] === trim(path)) return [];
  return [
    `containerd reads registry hosts from ${paths[0]} before ${path}: what it finds there for a ` +
    `registry hides Eddy; put ${path} first in config_path`,
  ];
}

function versionOf(version: string): number[] {
  return (/^v?(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
}

function trim(path: string): string {
  return path.replace(/\/+$/, "");
}
