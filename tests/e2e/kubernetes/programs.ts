import { runCommand } from "../lab/run_command.ts";

/** Executables of a control plane. */
export interface KubernetesPrograms {
  readonly etcd: string;
  readonly apiServer: string;
  readonly helm: string;
}

/**
 * Finds etcd in the `PATH`, and kube-apiserver and helm in the directory that `EDDY_TEST_KUBERNETES`
 * names, else in `eddy/bin` of the user's cache.
 *
 * @returns the programs, or what is missing.
 */
export async function findKubernetesPrograms(): Promise<
  { readonly programs: KubernetesPrograms } | { readonly missing: readonly string[] }
> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  const directory = Deno.env.get("EDDY_TEST_KUBERNETES") ?? `${cache}/eddy/bin`;
  const programs = {
    etcd: "etcd",
    apiServer: `${directory}/kube-apiserver`,
    helm: `${directory}/helm`,
  };
  const missing: string[] = [];
  for (
    const [name, argv] of [
      ["etcd", [programs.etcd, "--version"]],
      ["openssl", ["openssl", "version"]],
      [programs.apiServer, [programs.apiServer, "--version"]],
      [programs.helm, [programs.helm, "version"]],
    ] as const
  ) {
    const works = await runCommand(argv).then(() => true, () => false);
    if (!works) missing.push(name);
  }
  return missing.length > 0 ? { missing } : { programs };
}
