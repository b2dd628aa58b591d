import type { Cancellable } from "../../ports/cancellable.ts";

/** Where an instance of a service is, by its SRV record (RFC 2782). */
export interface ServiceTarget {
  readonly host: string;
  readonly port: number;
}

/** Finds the instances of a service; rejects if there are none or the signal aborts. */
export type ResolveService = (name: string, options: Cancellable) => Promise<ServiceTarget[]>;

/** Settings of {@link resolveService}. */
export interface ResolveServiceOptions extends Cancellable {
  /** Whom to ask; default: as the system is configured. */
  readonly nameServer?: { readonly ipAddr: string; readonly port: number };
}

/** Instances of a service, those of the best priority first. */
export async function resolveService(
  name: string,
  options: ResolveServiceOptions,
): Promise<ServiceTarget[]> {
  const records = await Deno.resolveDns(name, "SRV", options);
  return records
    .toSorted((a, b) => a.priority - b.priority || b.weight - a.weight)
    // A target of "." says that the service is not to be had there.
    .filter(({ target, port }) => target !== "." && target !== "" && port > 0)
    .map(({ target, port }) => ({ host: target.replace(/\.$/, ""), port }));
}
