import type { Digest } from "../oci/digest.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import type { Layers } from "../ports/layers.ts";
import type { PullRequest } from "./call.ts";
import type { Pull } from "./pull.ts";

/** Collaborators of {@link keepBlobs}. */
export interface KeepBlobsCollaborators {
  /** Keeps layers that the node's runtime would discard; undefined: it discards none. */
  readonly layers: Layers | undefined;
  /** References that do not pass are not shared, and so not kept. */
  readonly filter: ReferenceFilter;
  /** Tells, by an IP address, whether a client is on this node. */
  readonly isLocalClient: (address: string) => boolean;
}

/**
 * Has blobs kept that clients of this node ask for: they are about to have them, from a peer or from
 * upstream. That ends before the answer begins, so that a blob is kept before it arrives.
 */
export function keepBlobs(
  pull: Pull,
  { layers, filter, isLocalClient }: KeepBlobsCollaborators,
): Pull {
  if (layers === undefined) return pull;
  return async (request, context, client) => {
    const digest = blobOf(request);
    if (digest === undefined || !filter(request.path.reference)) {
      return await pull(request, context, client);
    }
    if (context.fromOutside) {
      const answer = await pull(request, context, client);
      if (answer.status < 300) layers.served(digest);
      return answer;
    }
    const kept = isLocalClient(context.clientAddress) ? layers.expect(digest) : undefined;
    try {
      return await pull(request, context, client);
    } finally {
      await kept;
    }
  };
}

function blobOf({ method, path }: PullRequest): Digest | undefined {
  return method === "GET" && path.kind === "blob" ? path.reference.digest : undefined;
}
