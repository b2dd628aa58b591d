import { join } from "node:path";
import { ok, warning } from "../../agent/preflight.ts";
import { ifReadable } from "../../files/if_present.ts";
import type { Check } from "../../ports/check.ts";
import type { ContainerdInstallation } from "../../store/containerd/detect_containerd.ts";

/** A runtime or snapshotter that gets images otherwise than by containerd's registry hosts. */
interface OtherRuntime {
  readonly name: string;
  /** Sockets, relative to the root; one of them is there. */
  readonly sockets: readonly string[];
  readonly detail: string;
  readonly fix: string;
}

const OTHER_RUNTIMES: readonly OtherRuntime[] = [
  {
    // cri-o/cri-o pkg/config/config_unix.go (CrioSocketPath).
    name: "CRI-O",
    sockets: ["run/crio/crio.sock"],
    detail: "what CRI-O pulls does not go through Eddy, which shares containerd's images alone",
    fix:
      "run Eddy on nodes whose kubelet uses containerd (containerRuntimeEndpoint); CRI-O's own " +
      "mirrors are in /etc/containers/registries.conf",
  },
  {
    // Mirantis/cri-dockerd packaging/systemd/cri-docker.socket; k3s-io/k3s
    // pkg/agent/config/config_linux.go (applyCRIDockerdAddress).
    name: "cri-dockerd",
    sockets: [
      "run/cri-dockerd.sock",
      "run/cri-docker.sock",
      "run/k3s/cri-dockerd/cri-dockerd.sock",
    ],
    detail: "where kubelet uses cri-dockerd, images are Docker's, which Eddy does not share",
    fix:
      "set kubelet's containerRuntimeEndpoint to containerd's socket; Docker's own mirrors are " +
      "registry-mirrors in /etc/docker/daemon.json, for docker.io alone",
  },
  {
    // awslabs/soci-snapshotter config/resolver.go, docs/config.md; awslabs/amazon-eks-ami
    // nodeadm/internal/containerd/snapshotter/soci-snapshotter.config.toml (FastImagePull).
    name: "SOCI snapshotter",
    sockets: ["run/soci-snapshotter-grpc/soci-snapshotter-grpc.sock"],
    detail:
      "layers that it fetches itself, lazily or in parallel, come past Eddy, since it reads " +
      "resolver.host of its own configuration and not hosts.toml; manifests, and layers that " +
      "containerd fetches, come through Eddy",
    fix: "to share all layers, set enable = false in [pull_modes.parallel_pull_unpack] of " +
      "/etc/soci-snapshotter-grpc/config.toml (on EKS, the feature gate FastImagePull of nodeadm's " +
      "NodeConfig), and use images without a SOCI index",
  },
];

/**
 * Names the distribution of this node and its paths. How the distribution is told to read registry
 * hosts is the remedy where its containerd does not read them as it should.
 */
export function describeDistribution(
  { distribution, ...paths }: ContainerdInstallation,
  { isConfigPathWrong }: { readonly isConfigPathWrong: boolean },
): Check {
  const { name, remark, setting } = distribution;
  const detail = `${name}: socket ${paths.socketPath}, content ${paths.contentPath}, registry ` +
    `hosts ${paths.registryConfigPath}, configuration ${paths.configFile}` +
    (remark === "" ? "" : `; ${remark}`);
  return isConfigPathWrong ? warning("distribution", detail, setting) : ok("distribution", detail);
}

/** Warns of runtimes and snapshotters on this node that pass Eddy by. */
export async function checkOtherRuntimes(
  { root = "/" }: { readonly root?: string } = {},
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { name, sockets, detail, fix } of OTHER_RUNTIMES) {
    for (const socket of sockets) {
      if (await ifReadable(Deno.stat(join(root, socket))) === undefined) continue;
      checks.push(warning(name, `has its socket at /${socket}: ${detail}`, fix));
    }
  }
  return checks;
}
