import type { Cancellable } from "../../ports/cancellable.ts";

/** Target of an SRV record (RFC 2782). */
export interface ServiceTarget {
  readonly host: string;
  readonly port: number;
}

/** Resolves a service; rejects if it has no instances or the signal aborts. */
export type ResolveService = (name: string, options: Cancellable) => Promise<ServiceTarget[]>;

export interface ResolveServiceOptions extends Cancellable {
  /** Name server; default: the system's. */
  readonly nameServer?: { readonly ipAddr: string; readonly port: number };
}

/** Instances of a service, best priority first. */
export async function resolveService(
  name: string,
  options: ResolveServiceOptions,
): Promise<ServiceTarget[]> {
  const records = await Deno.resolveDns(name, "SRV", options);
  return records
    .toSorted((a, b) => a.priority - b.priority || b.weight - a.weight)
    // A target of "." means that the service is not available.
    .filter(({ target, port }) => target !== "." && target !== "" && port > 0)
    .map(({ target, port }) => ({ host: target.replace(/\.$/, ""), port }));
}
