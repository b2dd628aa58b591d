/** A distribution of Kubernetes, or of containerd, whose nodes are known. */
export type DistributionId =
  | "aks"
  | "bottlerocket"
  | "containerd"
  | "eks"
  | "gke"
  | "k0s"
  | "k3s"
  | "kind"
  | "kubeadm"
  | "kubespray"
  | "microk8s"
  | "minikube"
  | "rke2"
  | "talos";

/** Where containerd is on the nodes of a distribution; all paths are relative to the root. */
export interface Distribution {
  readonly id: DistributionId;
  readonly name: string;
  /** Files and directories by which a node is known; all of them are there. */
  readonly markers: readonly string[];
  /** `ID` in the node's os-release; undefined: any. */
  readonly osId?: string;
  /** Socket of the containerd that kubelet uses. */
  readonly socketPath: string;
  /** `root` of containerd: content and snapshots. */
  readonly dataPath: string;
  /** Directory of `hosts.toml` files, one folder per registry. */
  readonly registryConfigPath: string;
  readonly configFile: string;
  /** `discard_unpacked_layers` as it ships; undefined: its files do not tell. */
  readonly discardsLayers: boolean | undefined;
  /** What the distribution does with registry hosts that others do not; empty: nothing. */
  readonly remark: string;
  /** How containerd comes to read {@link registryConfigPath}, in the distribution's own words. */
  readonly setting: string;
}

/**
 * Paths of containerd itself, which packages and most distributions leave as they are.
 *
 * Source: containerd/containerd defaults/defaults_unix.go.
 */
const PLAIN = {
  socketPath: "run/containerd/containerd.sock",
  dataPath: "var/lib/containerd",
  registryConfigPath: "etc/containerd/certs.d",
  configFile: "etc/containerd/config.toml",
  markers: [],
  discardsLayers: false,
  remark: "",
} as const;

const V3_REGISTRY = '[plugins."io.containerd.cri.v1.images".registry]';
const PLAIN_SETTING =
  'set config_path = "/etc/containerd/certs.d" in /etc/containerd/config.toml and restart containerd';

/**
 * Most specific first: a node with RKE2 or k3s may have an idle containerd as well, and many are set
 * up by kubeadm.
 */
export const DISTRIBUTIONS: readonly Distribution[] = [
  {
    // k3s-io/k3s pkg/agent/config/config.go, with the data directory of
    // docs.rke2.io/reference/linux_agent_config.
    id: "rke2",
    name: "RKE2",
    markers: ["var/lib/rancher/rke2/agent/containerd/io.containerd.content.v1.content"],
    socketPath: "run/k3s/containerd/containerd.sock",
    dataPath: "var/lib/rancher/rke2/agent/containerd",
    registryConfigPath: "var/lib/rancher/rke2/agent/etc/containerd/certs.d",
    configFile: "var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    discardsLayers: false,
    remark:
      "RKE2 writes registry hosts anew when it starts, from /etc/rancher/rke2/registries.yaml",
    setting: "remove an own config.toml.tmpl, or keep its config_path, and restart RKE2",
  },
  {
    // k3s-io/k3s pkg/agent/config/config.go (Containerd.Registry), config_linux.go
    // (applyContainerdStateAndAddress), pkg/agent/templates/templates_linux.go.
    id: "k3s",
    name: "k3s",
    markers: [],
    socketPath: "run/k3s/containerd/containerd.sock",
    dataPath: "var/lib/rancher/k3s/agent/containerd",
    registryConfigPath: "var/lib/rancher/k3s/agent/etc/containerd/certs.d",
    configFile: "var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    discardsLayers: false,
    remark: "k3s writes registry hosts anew when it starts, from /etc/rancher/k3s/registries.yaml",
    setting: "remove an own config.toml.tmpl, or keep its config_path, and restart k3s",
  },
  {
    // siderolabs/talos pkg/machinery/constants/constants.go (CRIContainerdAddress, EtcCRIConfdPath),
    // pkg/machinery/version/os-release, hack/cri-plugin.part,
    // internal/app/machined/pkg/controllers/files/cri_config.go.
    ...PLAIN,
    id: "talos",
    name: "Talos",
    osId: "talos",
    registryConfigPath: "etc/cri/conf.d/hosts",
    configFile: "etc/cri/containerd.toml",
    discardsLayers: true,
    remark: "Talos writes registry hosts itself, from machine.registries",
    setting: "set --containerd-registry-config-path /etc/cri/conf.d/hosts (in the chart: " +
      "distribution: talos), which Talos has as config_path; other mirrors belong into " +
      "machine.registries",
  },
  {
    // bottlerocket-os/bottlerocket-core-kit packages/release/release.spec (os-release),
    // packages/containerd-2.1/containerd-config-toml_k8s_containerd_sock,
    // packages/containerd/etc-containerd.mount.
    ...PLAIN,
    id: "bottlerocket",
    name: "Bottlerocket",
    osId: "bottlerocket",
    remark: "/etc/containerd is a tmpfs that Bottlerocket fills when it boots, with the SELinux " +
      "label secret_t",
    setting: "where the agent cannot write there, name it in Bottlerocket's " +
      "settings.container-registry.mirrors",
  },
  {
    // awslabs/amazon-eks-ami templates/al2023/provisioners/install-worker.sh (/etc/eks/release),
    // nodeadm/internal/containerd/config2.template.toml, nodeadm/doc/examples.md.
    ...PLAIN,
    id: "eks",
    name: "EKS (Amazon Linux)",
    markers: ["etc/eks/release"],
    discardsLayers: true,
    remark:
      "as shipped, config_path is a list, /etc/containerd/certs.d:/etc/docker/certs.d, which containerd " +
      "2.1 and newer take for one directory",
    setting: `put ${V3_REGISTRY} with config_path = "/etc/containerd/certs.d" into ` +
      "spec.containerd.config of nodeadm's NodeConfig",
  },
  {
    // Azure/AgentBaker aks-node-controller/parser/templates/containerd_v2.toml.gtpl,
    // parts/linux/cloud-init/artifacts/cse_config.sh (configureContainerdRegistryHost,
    // /opt/azure/containers).
    ...PLAIN,
    id: "aks",
    name: "AKS",
    markers: ["opt/azure/containers"],
    remark: "AKS may have own registry hosts, such as mcr.microsoft.com (bootstrap registry) and " +
      "_default (artifact streaming); Eddy keeps them behind itself",
    setting: PLAIN_SETTING,
  },
  {
    // kubernetes/kubernetes cluster/gce/gci/configure-helper.sh (setup-containerd, override-kubectl);
    // docs.cloud.google.com/kubernetes-engine/docs/how-to/customize-containerd-configuration.
    ...PLAIN,
    id: "gke",
    name: "GKE",
    markers: ["etc/profile.d/kube_env.sh"],
    // GKE's own script is not public, and Kubernetes' does not set it.
    discardsLayers: undefined,
    remark: "as shipped, config.toml names mirror.gcr.io in registry.mirrors, which rules out a " +
      "config_path",
    setting:
      "set registryHosts in GKE's runtime configuration file of the node pool, so that GKE " +
      "uses hosts.toml files in place of registry.mirrors",
  },
  {
    // kubernetes-sigs/kind pkg/build/nodeimage/const.go (/kind/version),
    // images/base/files/etc/containerd/config.toml, site/static/examples/kind-with-registry.sh.
    ...PLAIN,
    id: "kind",
    name: "kind",
    markers: ["kind/version"],
    discardsLayers: true,
    remark: "as shipped, config.toml has no config_path",
    setting: `put ${V3_REGISTRY} with config_path = "/etc/containerd/certs.d" into ` +
      "containerdConfigPatches of kind's cluster configuration",
  },
  {
    // kubernetes/minikube deploy/kicbase/containerd.toml, pkg/minikube/vmpath/constants.go.
    ...PLAIN,
    id: "minikube",
    name: "minikube",
    markers: ["var/lib/minikube"],
    discardsLayers: true,
    setting: PLAIN_SETTING,
  },
  {
    // kubernetes-sigs/kubespray roles/kubernetes/node/tasks/kubelet.yml (kubelet.env),
    // roles/container-engine/containerd/templates/config.toml.j2 and config-v1.toml.j2.
    ...PLAIN,
    id: "kubespray",
    name: "kubespray",
    markers: ["etc/kubernetes/kubelet.env"],
    discardsLayers: true,
    remark: "layers are discarded with containerd before 2.1 (containerd_discard_unpacked_layers)",
    setting: PLAIN_SETTING,
  },
  {
    // kubernetes/kubernetes cmd/kubeadm/app/constants/constants.go (KubeletEnvFileName); containerd
    // is a package's.
    ...PLAIN,
    id: "kubeadm",
    name: "kubeadm",
    markers: ["var/lib/kubelet/kubeadm-flags.env"],
    setting: PLAIN_SETTING,
  },
  { ...PLAIN, id: "containerd", name: "containerd", setting: PLAIN_SETTING },
  {
    // k0sproject/k0s docs/runtime.md, pkg/component/worker/containerd/component_other.go.
    id: "k0s",
    name: "k0s",
    markers: [],
    socketPath: "run/k0s/containerd.sock",
    dataPath: "var/lib/k0s/containerd",
    registryConfigPath: "etc/k0s/containerd.d/certs.d",
    configFile: "etc/k0s/containerd.toml",
    discardsLayers: false,
    remark: "as shipped, containerd.toml has no config_path",
    setting: `put ${V3_REGISTRY} with config_path = "/etc/k0s/containerd.d/certs.d" into ` +
      "/etc/k0s/containerd.d/cri-registry.toml, which k0s loads by itself",
  },
  {
    // canonical/microk8s microk8s-resources/default-args/containerd and containerd-template.toml;
    // SNAP_COMMON and SNAP_DATA are /var/snap/microk8s/common and /var/snap/microk8s/current.
    id: "microk8s",
    name: "MicroK8s",
    markers: [],
    socketPath: "var/snap/microk8s/common/run/containerd.sock",
    dataPath: "var/snap/microk8s/common/var/lib/containerd",
    registryConfigPath: "var/snap/microk8s/current/args/certs.d",
    configFile: "var/snap/microk8s/current/args/containerd.toml",
    discardsLayers: false,
    remark: "MicroK8s makes containerd.toml from args/containerd-template.toml when it starts",
    setting:
      'keep config_path = "${SNAP_DATA}/args/certs.d" in args/containerd-template.toml, and ' +
      "restart MicroK8s",
  },
];
