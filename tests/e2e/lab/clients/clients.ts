import type { PullSecret } from "../cri_images.ts";
import type { Lab, LabNode } from "../lab.ts";
import type { Host } from "../network.ts";
import { UPSTREAM } from "../upstream.ts";
import { ContainersTools } from "./containers_tools.ts";
import { craneProgram, cranePull } from "./crane.ts";

/** The registry in references: a port has no place in the location of a mirror. */
export const REGISTRY = "images.test";
/** What the suites of clients need, of Debian's packages. */
export const CLIENT_TOOLS = ["podman", "skopeo"];

/**
 * Pulls an image on a node, named `repository:tag` or `repository@digest`.
 *
 * @returns the digest of its manifest, as the client says it.
 */
export type PullBy = (name: string, secret?: PullSecret) => Promise<string>;

/** What the machine lacks besides {@link CLIENT_TOOLS}. */
export async function missingClients(): Promise<string[]> {
  const hasCrane = await Deno.stat(craneProgram()).then(({ isFile }) => isFile, () => false);
  return hasCrane ? [] : ["crane"];
}

/** Tells all nodes where the registry is, and starts their agents. */
export async function startNodes(lab: Lab): Promise<void> {
  for (const { containerd, agent } of lab.nodes) {
    await Deno.mkdir(`${containerd.certsPath}/${REGISTRY}`, { recursive: true });
    const file = `${containerd.certsPath}/${REGISTRY}/hosts.toml`;
    await Deno.writeTextFile(file, `server = "http://${UPSTREAM}"\n`);
    await agent.start();
  }
  await lab.untilKnown(1);
}

export function toolsOf(lab: Lab, host: Host): Promise<ContainersTools> {
  const directory = `${lab.directory}/${host.name}-tools`;
  return ContainersTools.make({ host, directory, registry: REGISTRY, location: UPSTREAM });
}

/** The clients on a node. After the last one the node's containerd has the image. */
export function clientsOf(
  lab: Lab,
  { host, containerd }: LabNode,
  tools: ContainersTools,
): Record<"podman" | "skopeo" | "crane" | "ctr", PullBy> {
  return {
    podman: (name, secret) => tools.podmanPull(name, secret),
    skopeo: (name, secret) => tools.skopeoPull(name, secret),
    crane: (name, secret) => {
      const directory = `${lab.directory}/crane`;
      return cranePull(host, `${REGISTRY}/${name}`, { directory, secret });
    },
    ctr: async (name, secret) => {
      const reference = `${REGISTRY}/${name}`;
      await containerd.fetch(reference, secret === undefined ? {} : { secret });
      const { stdout } = await containerd.ctr(["images", "ls", `name==${reference}`]);
      return /sha256:[0-9a-f]{64}/.exec(stdout.replaceAll(name, ""))?.[0] ?? stdout;
    },
  };
}
