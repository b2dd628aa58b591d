import { join } from "node:path";
import { ifReadable } from "../../files/if_present.ts";
import { type Distribution, DISTRIBUTIONS } from "./distributions.ts";

/** A distribution's containerd on this node; its paths are absolute. */
export interface ContainerdInstallation {
  readonly distribution: Distribution;
  /** Unix socket of its gRPC server. */
  readonly socketPath: string;
  /** Directory of the content store, which has `blobs/`. */
  readonly contentPath: string;
  /** Directory of `hosts.toml` files, one folder per registry. */
  readonly registryConfigPath: string;
  readonly configFile: string;
}

const CONTENT = "io.containerd.content.v1.content";
/** Of containerd itself, and of most distributions. */
const USUAL_SOCKET = "run/containerd/containerd.sock";
const USUAL_HOSTS = "etc/containerd/certs.d";
/** Where the chart mounts the node's /etc. */
const HOST = "host";
/** Of freedesktop.org's os-release(5). */
const OS_RELEASE = ["etc/os-release", "usr/lib/os-release"];

/** The registry configuration directories of all distributions, relative to the root. */
export const REGISTRY_CONFIG_PATHS: readonly string[] = [
  ...new Set(DISTRIBUTIONS.map(({ registryConfigPath }) => registryConfigPath)),
];

export interface DetectOptions {
  /** Root directory, e.g. the mount of a host; default `/`. */
  readonly root?: string;
}

/**
 * Finds this node's containerd by its socket, and its distribution by files that only that has. In a
 * pod, those are looked for in the mounted directories alone.
 *
 * @returns undefined if there is none, or several of which none is the usual one.
 */
export async function detectContainerd(
  options: DetectOptions = {},
): Promise<ContainerdInstallation | undefined> {
  const { root = "/" } = options;
  const found: Distribution[] = [];
  for (const distribution of DISTRIBUTIONS) {
    if (!await exists(join(root, distribution.socketPath))) continue;
    if (await isOn(root, distribution)) found.push(distribution);
  }
  const [first, ...others] = found;
  if (first === undefined || (isUnusual(first) && others.length > 0)) return undefined;
  // What the node has is not replaced by what its distribution should have.
  const isShared = first.socketPath === USUAL_SOCKET;
  const hosts = isShared && await exists(join(root, USUAL_HOSTS))
    ? USUAL_HOSTS
    : first.registryConfigPath;
  return {
    distribution: first,
    socketPath: join(root, first.socketPath),
    contentPath: join(root, first.dataPath, CONTENT),
    registryConfigPath: join(root, hosts),
    configFile: join(root, first.configFile),
  };
}

/** Whether it counts only where there is no other: it comes after the usual one. */
function isUnusual(distribution: Distribution): boolean {
  const usual = DISTRIBUTIONS.findIndex(({ id }) => id === "containerd");
  return DISTRIBUTIONS.indexOf(distribution) > usual;
}

async function isOn(root: string, { markers, osId }: Distribution): Promise<boolean> {
  for (const marker of markers) {
    if (!await exists(join(root, marker)) && !await exists(join(root, HOST, marker))) return false;
  }
  return osId === undefined || (await osIds(root)).includes(osId);
}

/** What os-release files say, of the root and of the host's mounted directories. */
async function osIds(root: string): Promise<string[]> {
  const paths = [root, join(root, HOST)].flatMap((from) =>
    OS_RELEASE.map((path) => join(from, path))
  );
  const texts = await Promise.all(paths.map((path) => ifReadable(Deno.readTextFile(path))));
  return texts.flatMap((text) => /^ID=["']?([\w.-]+)/m.exec(text ?? "")?.[1] ?? []);
}

/** False also for what this process may not see: it cannot be used either. */
async function exists(path: string): Promise<boolean> {
  return await ifReadable(Deno.stat(path)) !== undefined;
}
