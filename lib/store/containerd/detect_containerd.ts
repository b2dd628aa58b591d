import { join } from "node:path";

/** Paths of one kind of containerd installation. */
export interface ContainerdInstallation {
  readonly kind: "containerd" | "k3s" | "rke2";
  /** Unix socket of its gRPC server. */
  readonly socketPath: string;
  /** Directory of the content store, which has `blobs/`. */
  readonly contentPath: string;
  /** Directory of `hosts.toml` files, one folder per registry. */
  readonly registryConfigPath: string;
}

const ABSENT = [Deno.errors.NotFound, Deno.errors.NotADirectory, Deno.errors.PermissionDenied];
const K3S_SOCKET = "run/k3s/containerd/containerd.sock";
const CONTENT = "io.containerd.content.v1.content";

/** Most specific first: a node with RKE2 or k3s may have an idle containerd as well. */
const INSTALLATIONS: readonly ContainerdInstallation[] = [
  {
    kind: "rke2",
    socketPath: K3S_SOCKET,
    contentPath: `var/lib/rancher/rke2/agent/containerd/${CONTENT}`,
    registryConfigPath: "var/lib/rancher/rke2/agent/etc/containerd/certs.d",
  },
  {
    kind: "k3s",
    socketPath: K3S_SOCKET,
    contentPath: `var/lib/rancher/k3s/agent/containerd/${CONTENT}`,
    registryConfigPath: "var/lib/rancher/k3s/agent/etc/containerd/certs.d",
  },
  {
    kind: "containerd",
    socketPath: "run/containerd/containerd.sock",
    contentPath: `var/lib/containerd/${CONTENT}`,
    registryConfigPath: "etc/containerd/certs.d",
  },
];

/** The registry configuration directories of all kinds, relative to the root. */
export const REGISTRY_CONFIG_PATHS: readonly string[] = INSTALLATIONS.map(
  ({ registryConfigPath }) => registryConfigPath,
);

export interface DetectOptions {
  /** Root directory, e.g. the mount of a host; default `/`. */
  readonly root?: string;
}

/**
 * Finds this node's containerd by its socket. RKE2 and k3s use the same socket and differ in their
 * content directory.
 *
 * @returns undefined if there is none.
 */
export async function detectContainerd(
  options: DetectOptions = {},
): Promise<ContainerdInstallation | undefined> {
  const { root = "/" } = options;
  for (const { kind, ...paths } of INSTALLATIONS) {
    const socketPath = join(root, paths.socketPath);
    const contentPath = join(root, paths.contentPath);
    if (!await exists(socketPath)) continue;
    if (kind === "rke2" && !await exists(contentPath)) continue;
    return {
      kind,
      socketPath,
      contentPath,
      registryConfigPath: join(root, paths.registryConfigPath),
    };
  }
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    // An unreadable path cannot be used either.
    if (ABSENT.some((kind) => error instanceof kind)) return false;
    throw error;
  }
}
