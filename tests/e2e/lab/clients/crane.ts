import type { PullSecret } from "../cri_images.ts";
import { type Host, onHost } from "../network.ts";
import { runCommand } from "../run_command.ts";

const EDDY = "127.0.0.1:5000";

/** Where crane is, which `.ci/run` builds; `EDDY_TEST_CRANE` names another. */
export function craneProgram(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return Deno.env.get("EDDY_TEST_CRANE") ?? `${cache}/eddy/bin/crane`;
}

/**
 * Pulls by crane, which has no mirrors: Eddy is named in the reference.
 *
 * @param name `registry/repository:tag` or `registry/repository@digest`.
 * @param options `directory`: for the image, in OCI image layout, and for crane's configuration.
 */
export async function cranePull(
  host: Host,
  name: string,
  { directory, secret }: { readonly directory: string; readonly secret?: PullSecret | undefined },
): Promise<string> {
  await Deno.remove(directory, { recursive: true }).catch(() => {});
  await Deno.mkdir(directory, { recursive: true });
  const auth = secret && btoa(`${secret.username}:${secret.password}`);
  const config = { auths: auth === undefined ? {} : { [EDDY]: { auth } } };
  await Deno.writeTextFile(`${directory}/config.json`, JSON.stringify(config));
  const pull = [craneProgram(), "pull", "--format=oci", `${EDDY}/${name}`, `${directory}/image`];
  await runCommand(onHost(host, ["env", `DOCKER_CONFIG=${directory}`, ...pull]), {
    timeoutMs: 60_000,
  });
  const index = JSON.parse(await Deno.readTextFile(`${directory}/image/index.json`));
  return index.manifests[0].digest;
}
