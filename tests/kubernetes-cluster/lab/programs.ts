import { containerdReleases } from "../../e2e/lab/containerd_release.ts";
import {
  failing,
  findKubernetesPrograms,
  kubernetesDirectory,
  type KubernetesPrograms,
} from "../../e2e/kubernetes/programs.ts";

/** Executables of a whole cluster. */
export interface ClusterPrograms extends KubernetesPrograms {
  readonly controllerManager: string;
  readonly scheduler: string;
  readonly dns: string;
  readonly kubelet: string;
  readonly kubeProxy: string;
  readonly kubectl: string;
  /** What containers of test images run: it does nothing until it is told to end. */
  readonly pause: string;
}

/** Directory of the plugins for pods' networks, as Debian has it. */
export const CNI_PLUGINS = "/usr/lib/cni";

/** Finds the programs beside those of a control plane, or says what is missing. */
export async function findClusterPrograms(): Promise<
  { readonly programs: ClusterPrograms } | { readonly missing: readonly string[] }
> {
  const found = await findKubernetesPrograms();
  const directory = kubernetesDirectory();
  const further = {
    controllerManager: `${directory}/kube-controller-manager`,
    scheduler: `${directory}/kube-scheduler`,
    dns: `${directory}/coredns`,
    kubelet: `${directory}/kubelet`,
    kubeProxy: `${directory}/kube-proxy`,
    kubectl: `${directory}/kubectl`,
    pause: `${directory}/pause`,
  };
  const missing = [
    ..."missing" in found ? found.missing : [],
    ...await failing([
      [further.controllerManager, "--version"],
      [further.scheduler, "--version"],
      [further.dns, "-version"],
      [further.kubelet, "--version"],
      [further.kubeProxy, "--version"],
      [further.kubectl, "version", "--client"],
      [`${containerdReleases().current.directory}/containerd-shim-runc-v2`, "-v"],
    ]),
  ];
  for (const file of [further.pause, ...["bridge", "portmap"].map((n) => `${CNI_PLUGINS}/${n}`)]) {
    if (!await Deno.stat(file).then(() => true, () => false)) missing.push(file);
  }
  return missing.length > 0 || !("programs" in found)
    ? { missing }
    : { programs: { ...found.programs, ...further } };
}
