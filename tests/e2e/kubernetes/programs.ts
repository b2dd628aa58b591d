import { runCommand } from "../lab/run_command.ts";

/** Executables of a control plane. */
export interface KubernetesPrograms {
  readonly etcd: string;
  readonly apiServer: string;
  readonly helm: string;
}

/**
 * Directory of programs that are built from source: the one that `EDDY_TEST_KUBERNETES` names, else
 * `eddy/bin` in the user's cache.
 */
export function kubernetesDirectory(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return Deno.env.get("EDDY_TEST_KUBERNETES") ?? `${cache}/eddy/bin`;
}

/**
 * Finds etcd in the `PATH`, and kube-apiserver and helm in {@link kubernetesDirectory}.
 *
 * @returns the programs, or what is missing.
 */
export async function findKubernetesPrograms(): Promise<
  { readonly programs: KubernetesPrograms } | { readonly missing: readonly string[] }
> {
  const directory = kubernetesDirectory();
  const programs = {
    etcd: "etcd",
    apiServer: `${directory}/kube-apiserver`,
    helm: `${directory}/helm`,
  };
  const missing = await failing([
    [programs.etcd, "--version"],
    ["openssl", "version"],
    [programs.apiServer, "--version"],
    [programs.helm, "version"],
  ]);
  return missing.length > 0 ? { missing } : { programs };
}

/** The programs of those commands that cannot be run, or fail. */
export async function failing(commands: readonly (readonly string[])[]): Promise<string[]> {
  const works = await Promise.all(
    commands.map((argv) => runCommand(argv).then(() => true, () => false)),
  );
  return commands.filter((_, index) => !works[index]).map(([program = ""]) => program);
}
