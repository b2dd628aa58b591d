import { UPSTREAM } from "../../e2e/lab/upstream.ts";
import { USER_HOSTS_TOML } from "../../e2e/lab/lab.ts";
import { CNI_PLUGINS } from "./programs.ts";

/** Where services have their addresses. */
export const SERVICES = "10.96.0.0/16";
/** The address of the cluster's DNS. */
export const DNS_SERVICE = "10.96.0.10";
/** The image of what holds a pod's namespaces; a node has it before it runs anything. */
export const SANDBOX_IMAGE = `${UPSTREAM}/open/pause:1`;

/** The addresses of a node's pods. */
export function podSubnet(number: number): string {
  return `10.244.${number}.0/24`;
}

/** What {@link writeNodeFiles} is told of a node. */
export interface NodeFiles {
  /** Where the files go; those below `root` appear on the node at the same path. */
  readonly directory: string;
  readonly name: string;
  /** Counts from 1. */
  readonly number: number;
  /** Control group of its pods, as a path below the root. */
  readonly cgroup: string;
  /** Address of the server that `/etc/resolv.conf` names. */
  readonly nameserver: string;
  /** Content of `/etc/hosts`. */
  readonly hosts: string;
  /** Further settings of the kubelet. */
  readonly kubelet: Readonly<Record<string, unknown>>;
}

/** Writes the configuration of everything that runs on a node. */
export async function writeNodeFiles(node: NodeFiles): Promise<void> {
  const { directory } = node;
  const files: Record<string, string> = {
    "hosts": node.hosts,
    "resolv.conf": `nameserver ${node.nameserver}\noptions timeout:1 attempts:2\n`,
    "kubelet.json": JSON.stringify(kubeletConfiguration(node)),
    "proxy.json": JSON.stringify(proxyConfiguration(node)),
    "root/etc/containerd/config.toml": CONTAINERD,
    [`root/etc/containerd/certs.d/${UPSTREAM}/hosts.toml`]: USER_HOSTS_TOML,
    "root/etc/cni/net.d/10-lab.conflist": JSON.stringify(podNetwork(node.number)),
  };
  for (const [path, text] of Object.entries(files)) {
    const file = `${directory}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
}

const CONTAINERD = `version = 3
disabled_plugins = ["io.containerd.nri.v1.nri"]

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${SANDBOX_IMAGE}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  # The machine may lack CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["${CNI_PLUGINS}"]
  conf_dir = "/etc/cni/net.d"
`;

function kubeletConfiguration({ directory, cgroup, kubelet }: NodeFiles): unknown {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    // The network is the lab's alone.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    failSwapOn: false,
    failCgroupV1: false,
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    clusterDNS: [DNS_SERVICE],
    clusterDomain: "cluster.local",
    resolvConf: `${directory}/resolv.conf`,
    // The machine's memory and disk are not the node's.
    evictionHard: {
      "memory.available": "0%",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
    },
    imageGCHighThresholdPercent: 100,
    // A node that is silent is noticed within seconds.
    nodeStatusUpdateFrequency: "3s",
    nodeLeaseDurationSeconds: 8,
    ...kubelet,
  };
}

function proxyConfiguration({ directory, name }: NodeFiles): unknown {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: `${directory}/proxy.kubeconfig` },
    mode: "iptables",
    clusterCIDR: "10.244.0.0/16",
    hostnameOverride: name,
    // These are the machine's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}

function podNetwork(number: number): unknown {
  return {
    cniVersion: "1.0.0",
    name: "lab",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        isDefaultGateway: true,
        hairpinMode: true,
        ipam: { type: "host-local", ranges: [[{ subnet: podSubnet(number) }]] },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}
