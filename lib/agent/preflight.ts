import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { Check } from "../ports/check.ts";
import type {
  ContainerdProbe,
  ContentProbe,
  CriProbe,
} from "../store/containerd/probe_containerd.ts";

/** Settings of the checks. */
export interface PreflightSettings {
  /** Directory for mirror configuration; undefined: none is written. */
  readonly registryConfigPath: string | undefined;
  /** True if the user set the content path: an unusable one is then a failure. */
  readonly contentPathGiven: boolean;
  /** When a lease keeps layers that containerd would discard; default `auto`. */
  readonly keepLayers?: Config["keepLayers"];
  /** `use_local_image_pull` of containerd's configuration file, if that is readable. */
  readonly localImagePull?: boolean | undefined;
  /** True: whatever makes containerd bypass Eddy is a failure, even if the agent can run. */
  readonly strict?: boolean;
}

/** Name of the check whether containerd reads the directory of mirror configuration. */
export const CONFIG_PATH = "config_path";
/** Oldest containerd that Eddy is tested with. */
const OLDEST = [1, 6] as const;
/** First containerd whose CRI plugin pulls through the transfer service by default. */
const TRANSFER = [2, 1] as const;
const CONFIG_FILE = "/etc/containerd/config.toml (config.toml.tmpl on k3s and RKE2)";

/**
 * Checks whether Eddy can work with a containerd.
 *
 * @returns warnings, which do not prevent the start.
 * @throws {ConfigError} with the problem and the remedy.
 */
export function checkContainerd(probe: ContainerdProbe, settings: PreflightSettings): string[] {
  const findings = inspectContainerd(probe, settings);
  const failed = findings.find(({ state }) => state === "failed");
  if (failed !== undefined) throw new ConfigError(sentence(failed));
  return findings.filter(({ state }) => state === "warning").map(sentence);
}

/**
 * Tells what leaves open whether containerd uses the directory at all, and the remedy; undefined if
 * nothing does. containerd does not report `use_local_image_pull`.
 */
export function doubtOfMirror(
  probe: ContainerdProbe,
  settings: PreflightSettings,
): string | undefined {
  const { cri, version } = probe;
  if (cri === undefined || !mayTakeForOne(cri, version, settings)) return undefined;
  return sentence(inspectPaths(cri, version, settings));
}

/** Runs all checks. */
export function inspectContainerd(probe: ContainerdProbe, settings: PreflightSettings): Check[] {
  return [
    inspectVersion(probe.version),
    inspectContent(probe.content, settings.contentPathGiven),
    ...(probe.cri === undefined ? [inspectMissingCri(probe.criError, settings)] : [
      inspectLayers(probe.cri, probe.version, settings),
      inspectPaths(probe.cri, probe.version, settings),
    ]),
  ];
}

function sentence({ detail, fix }: Check): string {
  return fix === "" ? detail : `${detail}: ${fix}`;
}

function inspectVersion(version: string): Check {
  const name = "containerd version";
  if (isAtLeast(version, OLDEST)) return ok(name, version);
  return failed(
    name,
    `containerd is version ${version}`,
    `want ${OLDEST.join(".")} or newer`,
  );
}

function inspectContent(content: ContentProbe, given: boolean): Check {
  const name = "content store";
  const slower = "blobs are read through containerd's socket, which is slower";
  const flag = "--containerd-content-path";
  switch (content.state) {
    case "readable":
      return ok(name, `${content.path} is readable`);
    case "unknown":
      return warning(name, `containerd does not report its content path, ${slower}`, `set ${flag}`);
    case "unreadable":
      return given
        ? failed(
          name,
          `${flag}: got ${JSON.stringify(content.path)}`,
          `want a directory that Eddy can read (${content.error})`,
        )
        : warning(
          name,
          `${content.path} cannot be read (${content.error}), ${slower}`,
          "run Eddy as root, or mount the directory",
        );
    case "foreign":
      return given
        ? failed(
          name,
          `${flag}: got ${JSON.stringify(content.path)}`,
          `want the content directory of this containerd, which has blob ${content.digest}`,
        )
        : warning(
          name,
          `${content.path} is not containerd's content directory, ${slower}`,
          `set ${flag} to where it is mounted`,
        );
  }
}

/** Whether a lease is to keep the layers of a containerd. */
export function needsLease(
  discards: boolean | undefined,
  keepLayers: Config["keepLayers"],
): boolean {
  return keepLayers === "always" || (keepLayers === "auto" && discards === true);
}

function inspectLayers(
  cri: CriProbe,
  version: string,
  { keepLayers = "auto" }: PreflightSettings,
): Check {
  const name = "layers are kept";
  const { discardUnpackedLayers: discards } = cri;
  if (needsLease(discards, keepLayers)) {
    const why = discards === true
      ? "containerd discards layers once unpacked (discard_unpacked_layers)"
      : "--keep-layers is always";
    return ok(name, `${why}: a lease keeps them`);
  }
  if (discards === undefined) {
    const detail = "containerd does not report discard_unpacked_layers";
    return keepLayers === "never"
      ? warning(name, detail, "make sure that it is false")
      : warning(name, detail, "set --keep-layers always if it is true");
  }
  if (!discards) return ok(name, "discard_unpacked_layers is false");
  const section = isAtLeast(version, [2, 0])
    ? `${imagesSection(version)}]`
    : `${imagesSection(version)}.containerd]`;
  return failed(
    name,
    `containerd ${version} discards layers once unpacked, so it has no layers to share`,
    `set --keep-layers auto, or discard_unpacked_layers = false in section ${section} of ` +
      `${CONFIG_FILE} and restart containerd; images pulled before stay incomplete until they ` +
      "are removed and pulled again",
  );
}

function inspectMissingCri(error: string | undefined, { strict }: PreflightSettings): Check {
  const name = "CRI plugin";
  if (error === undefined) {
    return warning(
      name,
      "containerd has no CRI plugin, its registry settings could not be checked",
      "if kubelet uses this containerd, its log says why the plugin did not load",
    );
  }
  const [section] = /mirrors|configs\.tls/.exec(error) ?? [];
  const fix = section !== undefined && error.includes("config_path")
    ? `remove the registry.${section} sections from ${CONFIG_FILE}, put such settings into ` +
      "hosts.toml files, and restart containerd"
    : `correct ${CONFIG_FILE} and restart containerd`;
  return (strict ? failed : warning)(name, `containerd's CRI plugin failed: ${error}`, fix);
}

function inspectPaths(
  cri: CriProbe,
  version: string,
  settings: PreflightSettings,
): Check {
  const name = CONFIG_PATH;
  const { registryConfigPath: path, strict } = settings;
  if (path === undefined) return skipped(name, "mirror configuration is not written by this agent");
  if (cri.registryConfigPaths === undefined) {
    return warning(
      name,
      "containerd does not report its config_path",
      `make sure that it is ${path}`,
    );
  }
  const paths = cri.registryConfigPaths.map(trim);
  const section = `section ${imagesSection(version)}.registry] of ${CONFIG_FILE}`;
  if (!paths.includes(trim(path))) {
    const now = paths.length === 0 ? "no directory" : paths.join(":");
    return failed(
      name,
      `containerd ${version} reads registry hosts from ${now}, not from ${path}`,
      `set config_path = "${path}" in ${section} and restart containerd, or set ` +
        "--containerd-registry-config-path to the directory it reads",
    );
  }
  if (paths.length === 1) return ok(name, `containerd reads ${path}`);
  if (mayTakeForOne(cri, version, settings)) {
    return (strict ? failed : warning)(
      name,
      `containerd ${version} has several directories in config_path (${paths.join(":")}), which ` +
        "its transfer service takes for one that does not exist, so that no mirror is used",
      `set config_path = "${path}" alone in ${section}, or use_local_image_pull = true in section ` +
        `${imagesSection(version)}], and restart containerd`,
    );
  }
  if (paths[0] === trim(path)) return ok(name, `containerd reads ${path} first`);
  return warning(
    name,
    `containerd reads registry hosts from ${paths[0]} before ${path}`,
    `entries there take precedence over Eddy's; put ${path} first in config_path`,
  );
}

/** containerd issue 12415: its transfer service takes the list for the name of one directory. */
function mayTakeForOne(
  { registryConfigPaths: paths = [] }: CriProbe,
  version: string,
  { registryConfigPath: path, localImagePull }: PreflightSettings,
): boolean {
  return path !== undefined && paths.length > 1 && paths.map(trim).includes(trim(path)) &&
    isAtLeast(version, TRANSFER) && localImagePull !== true;
}

function imagesSection(version: string): string {
  return isAtLeast(version, [2, 0])
    ? "[plugins.'io.containerd.cri.v1.images'"
    : '[plugins."io.containerd.grpc.v1.cri"';
}

/** A check that succeeded. */
export function ok(name: string, detail: string): Check {
  return { name, state: "ok", detail, fix: "" };
}

/** A check with a finding that Eddy can work with. */
export function warning(name: string, detail: string, fix: string): Check {
  return { name, state: "warning", detail, fix };
}

/** A check with a finding that prevents Eddy from working. */
export function failed(name: string, detail: string, fix: string): Check {
  return { name, state: "failed", detail, fix };
}

/** A check that does not apply, or could not run. */
export function skipped(name: string, detail: string): Check {
  return { name, state: "skipped", detail, fix: "" };
}

/** Compares the first two parts of a version. */
function isAtLeast(version: string, [wantMajor, wantMinor]: readonly [number, number]) {
  const [major = 0, minor = 0] = (/^v?(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}

function trim(path: string): string {
  return path.replace(/\/+$/, "");
}
