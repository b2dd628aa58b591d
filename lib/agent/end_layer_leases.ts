import type { Config } from "../config/options.ts";
import { ifPresent } from "../files/if_present.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import { ContainerdClient } from "../store/containerd/client.ts";
import { ContainerdLeases } from "../store/containerd/containerd_leases.ts";
import { detectContainerd } from "../store/containerd/detect_containerd.ts";

/** Which containerd may have leases of Eddy. */
export type LeasePlace = Pick<Config, "containerdSock" | "containerdNamespace">;

/**
 * Ends the leases by which Eddy kept layers on this node; containerd then frees them.
 *
 * @returns their names; none if there is no containerd.
 * @throws {ContainerdError} if it does not answer: the leases then end by themselves.
 */
export async function endLayerLeases(
  { containerdSock, containerdNamespace }: LeasePlace,
  { dryRun = false, ...options }: Cancellable & { readonly dryRun?: boolean },
): Promise<readonly string[]> {
  const socket = containerdSock ?? (await detectContainerd())?.socketPath;
  if (socket === undefined || await ifPresent(Deno.stat(socket)) === undefined) return [];
  const client = new ContainerdClient(socket, { namespace: containerdNamespace });
  try {
    const leases = new ContainerdLeases(client);
    return dryRun ? await leases.names(options) : await leases.end(options);
  } finally {
    client.close();
  }
}
