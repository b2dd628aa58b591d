import { Agent } from "./agent.ts";
import { eddyCommand } from "./eddy_command.ts";
import type { Lab, LabNode } from "./lab.ts";
import { UPSTREAM } from "./upstream.ts";

/** Why an agent does not reach upstream, though its node does. */
export type Cause =
  /** As by a policy that rejects: connections are refused. */
  | "refused"
  /** As by a policy that drops: nobody answers. */
  | "silent"
  /** As by a name server that only the node has. */
  | "unresolved"
  /** The node trusts the authority of upstream's certificate. */
  | "certificate";

/** A node of the lab with an agent that does not reach upstream. */
export interface Blocked extends LabNode, AsyncDisposable {}

/** Flags for agents of images that are everybody's, whether upstream can be asked or not. */
export const PUBLIC: readonly string[] = ["--public-images", "*", "--unverified-tags", "auto"];
/** Nobody has this address. */
const NOBODY = "10.213.7.250";
/** Starts a program with another file of names before it. */
const WITH_NAMES =
  'sed "$1" /etc/hosts >"$0" && mount --bind "$0" /etc/hosts && shift && exec "$@"';

/**
 * Starts an agent on a node with names of its own: it takes upstream's for somebody who refuses, or
 * for nobody, or does not know it. What it sees is what a pod sees.
 *
 * @param cause undefined: an agent that is not hindered.
 * @param further flags besides {@link PUBLIC}.
 */
export async function blockedAgent(
  lab: Lab,
  { host, containerd }: LabNode,
  cause: Cause | undefined,
  further: readonly string[] = [],
): Promise<Blocked> {
  const directory = await Deno.makeTempDir({ dir: lab.directory, prefix: `${host.name}-` });
  const names = namesOf(lab, cause);
  const command = names === undefined ? eddyCommand() : [
    ...["unshare", "--mount", "sh", "-c", WITH_NAMES, `${directory}/hosts`, names],
    ...eddyCommand(),
  ];
  const agent = new Agent({ host, containerd, directory, command, flags: [...PUBLIC, ...further] });
  await agent.start();
  return {
    ...{ host, containerd, agent },
    async [Symbol.asyncDispose]() {
      await agent.stop();
    },
  };
}

/** An expression of sed; undefined: the node's own names. */
function namesOf(lab: Lab, cause: Cause | undefined): string | undefined {
  const name = UPSTREAM.replace(/:.*/, "");
  switch (cause) {
    case "refused":
      return `s/^.* ${name}$/${lab.network.host("refuser").address} ${name}/`;
    case "silent":
      return `s/^.* ${name}$/${NOBODY} ${name}/`;
    case "unresolved":
      return `/ ${name}$/d`;
    default:
      return undefined;
  }
}
