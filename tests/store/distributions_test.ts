import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { describeDistribution } from "../../lib/commands/doctor/node_checks.ts";
import { detectContainerd } from "../../lib/store/containerd/detect_containerd.ts";
import { type DistributionId, DISTRIBUTIONS } from "../../lib/store/containerd/distributions.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const SOCKET = "/run/containerd/containerd.sock";
const K3S = "/run/k3s/containerd/containerd.sock";
const K0S = "/run/k0s/containerd.sock";
const MICROK8S = "/var/snap/microk8s/common/run/containerd.sock";
const CONTENT = "io.containerd.content.v1.content";
const RKE2_CONTENT = `/var/lib/rancher/rke2/agent/containerd/${CONTENT}`;
const PLAIN = {
  socket: SOCKET,
  content: `/var/lib/containerd/${CONTENT}`,
  hosts: "/etc/containerd/certs.d",
  config: "/etc/containerd/config.toml",
};

interface Row {
  /** Files of the node's tree, with their text. */
  readonly tree: Readonly<Record<string, string>>;
  readonly want: typeof PLAIN;
}

/** A node of each distribution, as its project's own files make it, and the paths to be found. */
const ROWS: Readonly<Record<DistributionId, Row>> = {
  rke2: {
    tree: { [K3S]: "", [`${RKE2_CONTENT}/blobs/.keep`]: "" },
    want: {
      socket: K3S,
      content: RKE2_CONTENT,
      hosts: "/var/lib/rancher/rke2/agent/etc/containerd/certs.d",
      config: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    },
  },
  k3s: {
    // An idle containerd is beside it.
    tree: { [K3S]: "", [SOCKET]: "", "/etc/containerd/config.toml": "" },
    want: {
      socket: K3S,
      content: `/var/lib/rancher/k3s/agent/containerd/${CONTENT}`,
      hosts: "/var/lib/rancher/k3s/agent/etc/containerd/certs.d",
      config: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    },
  },
  talos: {
    tree: {
      [SOCKET]: "",
      "/system/run/containerd/containerd.sock": "",
      "/etc/os-release": 'NAME="Talos"\nID=talos\nVERSION_ID=v1.14.0\n',
      "/etc/containerd/config.toml": "",
      "/etc/cri/containerd.toml": "",
      "/etc/cri/conf.d/hosts/docker.io/hosts.toml": "",
    },
    want: { ...PLAIN, hosts: "/etc/cri/conf.d/hosts", config: "/etc/cri/containerd.toml" },
  },
  bottlerocket: {
    tree: {
      [SOCKET]: "",
      "/usr/lib/os-release": "NAME=Bottlerocket\nID=bottlerocket\nVARIANT_ID=aws-k8s-1.34\n",
      "/etc/containerd/config.toml": "",
    },
    want: PLAIN,
  },
  eks: {
    tree: {
      [SOCKET]: "",
      "/etc/eks/release": 'ARCH="x86_64"\n',
      "/etc/os-release": 'NAME="Amazon Linux"\nID="amzn"\nVERSION_ID="2023"\n',
    },
    want: PLAIN,
  },
  aks: {
    tree: {
      [SOCKET]: "",
      "/opt/azure/containers/kubelet.sh": "",
      "/etc/containerd/certs.d/mcr.microsoft.com/hosts.toml": "",
      "/etc/os-release": "ID=ubuntu\n",
    },
    want: PLAIN,
  },
  gke: { tree: { [SOCKET]: "", "/etc/profile.d/kube_env.sh": "" }, want: PLAIN },
  kind: {
    tree: { [SOCKET]: "", "/kind/version": "v1.34.0", "/var/lib/kubelet/kubeadm-flags.env": "" },
    want: PLAIN,
  },
  minikube: {
    tree: {
      [SOCKET]: "",
      "/var/lib/minikube/certs/ca.crt": "",
      "/var/lib/kubelet/kubeadm-flags.env": "",
    },
    want: PLAIN,
  },
  kubespray: {
    tree: {
      [SOCKET]: "",
      "/etc/kubernetes/kubelet.env": "",
      "/var/lib/kubelet/kubeadm-flags.env": "",
    },
    want: PLAIN,
  },
  kubeadm: {
    tree: {
      [SOCKET]: "",
      "/var/lib/kubelet/kubeadm-flags.env": "",
      "/etc/os-release": "ID=fedora\n",
    },
    want: PLAIN,
  },
  containerd: { tree: { [SOCKET]: "", "/etc/os-release": "ID=debian\n" }, want: PLAIN },
  k0s: {
    tree: { [K0S]: "", "/etc/k0s/containerd.toml": "# k0s_managed=true\n" },
    want: {
      socket: K0S,
      content: `/var/lib/k0s/containerd/${CONTENT}`,
      hosts: "/etc/k0s/containerd.d/certs.d",
      config: "/etc/k0s/containerd.toml",
    },
  },
  microk8s: {
    tree: { [MICROK8S]: "", "/var/snap/microk8s/current/args/containerd.toml": "" },
    want: {
      socket: MICROK8S,
      content: `/var/snap/microk8s/common/var/lib/containerd/${CONTENT}`,
      hosts: "/var/snap/microk8s/current/args/certs.d",
      config: "/var/snap/microk8s/current/args/containerd.toml",
    },
  },
};

for (const distribution of DISTRIBUTIONS) {
  const { tree, want } = ROWS[distribution.id];
  test(`detect: a node of ${distribution.name}, and what the doctor says of it`, async () => {
    await using directory = await nodeOf(tree);
    const root = directory.path;
    const found = await detectContainerd({ root });
    assert.deepEqual(found, {
      distribution,
      socketPath: root + want.socket,
      contentPath: root + want.content,
      registryConfigPath: root + want.hosts,
      configFile: root + want.config,
    });
    const fine = describeDistribution(found, { isConfigPathWrong: false });
    assert.deepEqual([fine.state, fine.fix], ["ok", ""]);
    assert(fine.detail.startsWith(`${distribution.name}: `), fine.detail);
    for (const path of Object.values(want)) assert(fine.detail.includes(root + path), path);
    const wrong = describeDistribution(found, { isConfigPathWrong: true });
    assert.deepEqual([wrong.state, wrong.fix], ["warning", distribution.setting]);
  });
}

for (
  const { name, tree, want } of [
    { name: "nothing", tree: {}, want: undefined },
    { name: "files of a distribution without a socket", tree: { "/kind/version": "" } },
    {
      name: "k0s and MicroK8s on one node, neither of which counts",
      tree: { [K0S]: "", [MICROK8S]: "" },
    },
    {
      name: "k0s beside a containerd at the usual place",
      tree: { [K0S]: "", [SOCKET]: "" },
      want: "containerd",
    },
    {
      name: "a pod that has the host's /etc",
      tree: {
        [SOCKET]: "",
        "/etc/os-release": "ID=debian\n",
        "/host/etc/os-release": "ID=talos\n",
      },
      want: "talos",
    },
    {
      name: "a pod on EKS",
      tree: { [SOCKET]: "", "/host/etc/eks/release": "" },
      want: "eks",
    },
    {
      name: "an os-release that is like Talos'",
      tree: { [SOCKET]: "", "/etc/os-release": "ID=talosish\nVARIANT_ID=talos\n" },
      want: "containerd",
    },
  ]
) {
  test(`detect: ${name}`, async () => {
    await using directory = await nodeOf(tree);
    const found = await detectContainerd({ root: directory.path });
    assert.equal(found?.distribution.id, want);
  });
}

test("detect: a directory of registry hosts that is there is not replaced by another", async () => {
  const hosts = "/etc/containerd/certs.d/docker.io/hosts.toml";
  await using directory = await nodeOf({ ...ROWS.talos.tree, [hosts]: "" });
  const found = await detectContainerd({ root: directory.path });
  assert.equal(found?.distribution.id, "talos");
  assert.equal(found.registryConfigPath, join(directory.path, "etc/containerd/certs.d"));
});

test("detect: in a pod, where the node's os-release is a link that leads nowhere", async () => {
  await using directory = await nodeOf({ [SOCKET]: "", "/host/etc/containerd/config.toml": "" });
  // Read by a program to which some paths are denied, Deno 2.6 calls such a link a loop.
  await Deno.symlink("os-release", join(directory.path, "host/etc/os-release"));
  const found = await detectContainerd({ root: directory.path });
  assert.equal(found?.distribution.id, "containerd");
});

async function nodeOf(tree: Readonly<Record<string, string | undefined>>) {
  const directory = await tempDirectory();
  for (const [path, text = ""] of Object.entries(tree)) {
    const file = join(directory.path, path);
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  return directory;
}
