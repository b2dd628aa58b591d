/** A node's location, by its labels. */
export interface NodeTopology {
  readonly zone?: string;
  readonly region?: string;
}

/** Well-known labels, and the ones they replaced in Kubernetes 1.17. */
const ZONE = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
const REGION = ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];

/** Reads zone and region from a node's labels; empty labels count as absent. */
export function readTopology(labels: Readonly<Record<string, string>>): NodeTopology {
  const zone = first(labels, ZONE);
  const region = first(labels, REGION);
  return {
    ...(zone === undefined ? {} : { zone }),
    ...(region === undefined ? {} : { region }),
  };
}

function first(
  labels: Readonly<Record<string, string>>,
  names: readonly string[],
): string | undefined {
  return names.map((name) => labels[name]).find((value) => value !== undefined && value !== "");
}
