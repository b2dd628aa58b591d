import { isWildcardRegistry } from "../oci/filter.ts";
import { isRegistry } from "../oci/reference.ts";
import { ConfiguratorError } from "./configurator_error.ts";

/** Folder that containerd reads for registries without one of their own. */
export const DEFAULT_FOLDER = "_default";

/** An additional mirror, with its settings in hosts.toml. */
export interface AdditionalMirror {
  readonly url: string;
  /** Files with CA certificates, absolute. */
  readonly ca?: readonly string[];
  readonly skipVerify?: boolean;
  /** Values of each header that containerd sends to it; may be secret. */
  readonly header?: Readonly<Record<string, readonly string[]>>;
}

export interface ConfiguratorOptions {
  /** containerd's registry configuration directory, an absolute path; created if missing. */
  readonly configPath: string;
  /**
   * Registries to mirror: `host`, `host:port`, `http(s)://host[:port]`; `_default` or `*` for all
   * of them. Empty: all.
   */
  readonly mirroredRegistries: readonly string[];
  /** URLs at which containerd reaches Eddy, in order of preference; at least one. */
  readonly mirrorTargets: readonly string[];
  /** Whether containerd may resolve tags through Eddy, besides pulling by digest. */
  readonly resolveTags: boolean;
  /**
   * True, the default: the user's hosts stay, after Eddy. False: they are left out until a restore.
   * The registry's own settings stay in both cases.
   */
  readonly prependExisting?: boolean;
  /**
   * Further mirrors, such as a site's cache, tried after Eddy and before upstream, as URLs or with
   * settings. The path of a URL is the API's base.
   */
  readonly additionalMirrorRegistries?: readonly (string | AdditionalMirror)[];
  /**
   * Dial timeout for Eddy, ms, used by containerd 2.1 and later; 1 to 60000, default 200. Older
   * versions ignore it; a connection refused on loopback costs them nothing.
   */
  readonly dialTimeoutMs?: number;
  /**
   * Value of the `Authorization` header that containerd sends to Eddy; makes the files readable by
   * their owner only.
   */
  readonly authorization?: string | undefined;
}

export interface Settings {
  readonly configPath: string;
  /** True: every existing folder and the default one. */
  readonly all: boolean;
  /** Registries listed individually, with the server URL if given. */
  readonly named: ReadonlyMap<string, { readonly server?: string }>;
  readonly targets: readonly string[];
  readonly additional: readonly AdditionalMirror[];
  readonly resolveTags: boolean;
  readonly prependExisting: boolean;
  readonly dialTimeoutMs: number;
  /** Values that only the files' owner may see. */
  readonly secrets: readonly string[];
  readonly authorization?: string | undefined;
}

/**
 * Validates options.
 *
 * @throws {ConfiguratorError} with the rejected value and the expected form.
 */
export function checkOptions(options: ConfiguratorOptions): Settings {
  const { dialTimeoutMs = 200, authorization } = options;
  if (!(Number.isInteger(dialTimeoutMs) && dialTimeoutMs >= 1 && dialTimeoutMs <= 60_000)) {
    throw refused("dial timeout", String(dialTimeoutMs), "want 1 to 60000 ms");
  }
  if (authorization !== undefined && !/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(authorization)) {
    throw refused("authorization", "(secret)", "want printable ASCII on one line");
  }
  if (options.mirrorTargets.length === 0) {
    throw refused(
      "mirror targets",
      "(none)",
      "want at least one URL such as http://127.0.0.1:5000",
    );
  }
  const additional = additionalMirrors(options.additionalMirrorRegistries ?? []);
  const all = options.mirroredRegistries.length === 0 ||
    options.mirroredRegistries.some(isWildcardRegistry);
  const named = options.mirroredRegistries.filter((name) => !isWildcardRegistry(name)).map(
    namedRegistry,
  );
  return {
    configPath: checkConfigPath(options.configPath),
    all,
    named: new Map(named),
    targets: unique(options.mirrorTargets.map((url) => mirrorUrl("mirror target", url, false))),
    additional,
    secrets: [
      ...(authorization === undefined ? [] : [authorization]),
      ...additional.flatMap(({ header = {} }) => Object.values(header).flat()),
    ],
    resolveTags: options.resolveTags,
    prependExisting: options.prependExisting ?? true,
    dialTimeoutMs,
    authorization,
  };
}

/**
 * The configuration path without a trailing slash.
 *
 * @throws {ConfiguratorError} if it is relative, the root, or a list of paths.
 */
export function checkConfigPath(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  // containerd accepts a list of paths here; Eddy writes to exactly one.
  if (!trimmed.startsWith("/") || trimmed.includes(":") || trimmed.split("/").includes("..")) {
    throw refused("configuration path", path, "want one absolute path without `..`");
  }
  return trimmed;
}

/**
 * The registry for which containerd reads a folder of certs.d; undefined if there is none.
 * containerd reads `host_port_` before `host:port`.
 */
export function registryOfFolder(folder: string): string | undefined {
  if (folder === DEFAULT_FOLDER) return folder;
  const registry = folder.replace(/^(.+)_(\d{1,5})_$/, "$1:$2");
  return isRegistry(registry) ? registry : undefined;
}

function namedRegistry(text: string): [string, { server?: string }] {
  const scheme = /^https?:\/\//.exec(text)?.[0];
  const registry = text.slice(scheme?.length ?? 0).replace(/\/$/, "");
  if (!isRegistry(registry)) {
    throw refused(
      "mirrored registry",
      text,
      "want a host such as docker.io or localhost:5000, a URL without a path, or _default",
    );
  }
  return [registry, scheme === undefined ? {} : { server: scheme + registry }];
}

/** Of several mirrors with one URL the first applies. */
function additionalMirrors(mirrors: readonly (string | AdditionalMirror)[]): AdditionalMirror[] {
  const known = new Map<string, AdditionalMirror>();
  for (const each of mirrors) {
    const mirror = typeof each === "string" ? { url: each } : each;
    const url = mirrorUrl("additional mirror registry", mirror.url, true);
    const relative = mirror.ca?.find((path) => !path.startsWith("/"));
    if (relative !== undefined) {
      throw refused(`ca of additional mirror registry ${url}:`, relative, "want an absolute path");
    }
    if (!known.has(url)) known.set(url, { ...mirror, url });
  }
  return [...known.values()];
}

function mirrorUrl(what: string, text: string, pathAllowed: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const path = url?.pathname.replace(/\/+$/, "") ?? "";
  if (
    url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "" ||
    url.username !== "" || url.password !== "" || (path !== "" && !pathAllowed)
  ) {
    const shape = pathAllowed ? "http(s)://host[:port][/path]" : "http(s)://host[:port]";
    throw refused(what, text, `want ${shape} without user, query or fragment`);
  }
  return `${url.origin}${path}`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function refused(what: string, value: string, fix: string): ConfiguratorError {
  return new ConfiguratorError({
    action: "use",
    path: `${what} ${value}`,
    reason: "bad value",
    fix,
  });
}
