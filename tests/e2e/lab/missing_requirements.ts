import type { ContainerdRelease } from "./containerd_release.ts";
import { runCommand } from "./run_command.ts";

/** Tools of the lab; Debian has each in a package. */
const TOOLS = ["ip", "tc", "curl", "runc", "docker-registry"];

/**
 * What this machine lacks for a lab, each as a short phrase; empty if nothing: Linux, root, network
 * namespaces, the tools, and the containerds, each of the version that it is taken for.
 *
 * @param tools what a suite needs besides.
 */
export async function missingRequirements(
  releases: readonly ContainerdRelease[],
  tools: readonly string[] = [],
): Promise<string[]> {
  if (Deno.build.os !== "linux") return ["Linux"];
  if (Deno.uid() !== 0) return ["root"];
  const missing: string[] = [];
  for (const tool of [...TOOLS, ...tools]) {
    if (await output(["sh", "-c", `command -v ${tool}`]) === undefined) missing.push(tool);
  }
  for (const release of new Set(releases)) missing.push(...await lacking(release));
  if (missing.length > 0) return missing;
  const probe = `eddy-e2e-${Deno.pid}-probe`;
  if (await output(["ip", "netns", "add", probe]) === undefined) return ["network namespaces"];
  await output(["ip", "netns", "del", probe]);
  return [];
}

async function lacking(release: ContainerdRelease): Promise<string[]> {
  const version = release.name === "1.6" ? / v?1\.6\./ : / v?2\.\d+\./;
  const said = await output([`${release.directory}/containerd`, "--version"]);
  const ctr = await output([`${release.directory}/ctr`, "--version"]);
  if (said !== undefined && version.test(said) && ctr !== undefined) return [];
  return [`containerd ${release.name} with ctr in ${release.directory}`];
}

async function output(argv: readonly string[]): Promise<string | undefined> {
  return await runCommand(argv).then(({ stdout }) => stdout, () => undefined);
}
