import { bytesOf } from "./ip.ts";

/** An admitted connection. */
export interface AdmittedConnection {
  /** Start of its idle time, ms of any clock; undefined while it is busy. */
  readonly idleSince: number | undefined;
  /** Ends it at once. */
  close(): void;
}

/** Upper bounds of admitted connections. */
export interface AdmissionLimits {
  /** From this node. */
  readonly local: number;
  /** From all other nodes together. */
  readonly remote: number;
  /** From one remote address. */
  readonly perAddress: number;
}

export interface AdmissionCollaborators {
  readonly limits: () => AdmissionLimits;
  /** Tries to raise the limits; returns whether they are higher now. */
  readonly raise: () => boolean;
  /** Tells whether an address belongs to this node. */
  readonly isLocal: (address: string) => boolean;
}

const LOCAL = "local";

/**
 * Admits connections so that no client can take all places: a limit per remote address, one for all
 * remote addresses, and places reserved for clients on this node. When the places run out, the
 * longest idle connection of the address with the most connections is evicted; if all are busy, the
 * new one is rejected.
 */
export class Admission {
  readonly #collaborators: AdmissionCollaborators;
  readonly #groupOf = new Map<AdmittedConnection, string>();
  readonly #groups = new Map<string, Set<AdmittedConnection>>();

  constructor(collaborators: AdmissionCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Number of open connections. */
  get size(): number {
    return this.#groupOf.size;
  }

  /** Admits a connection, or rejects it. */
  admit(connection: AdmittedConnection, address: string): boolean {
    const group = this.#collaborators.isLocal(address) ? LOCAL : groupOf(address);
    let candidates = this.#candidates(group);
    while (candidates !== undefined && this.#collaborators.raise()) {
      candidates = this.#candidates(group);
    }
    if (candidates !== undefined) {
      const longest = longestIdleAmong(candidates);
      if (longest === undefined) return false;
      this.leave(longest);
      longest.close();
    }
    this.#groupOf.set(connection, group);
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Set([connection]));
    else members.add(connection);
    return true;
  }

  /** Removes a connection that has ended. Idempotent. */
  leave(connection: AdmittedConnection): void {
    const group = this.#groupOf.get(connection);
    if (group === undefined) return;
    this.#groupOf.delete(connection);
    const members = this.#groups.get(group);
    members?.delete(connection);
    if (members?.size === 0) this.#groups.delete(group);
  }

  /** Candidates for eviction, in order of preference; undefined if there is room for the group. */
  #candidates(group: string): Iterable<AdmittedConnection>[] | undefined {
    const { local, remote, perAddress } = this.#collaborators.limits();
    const own = this.#groups.get(group) ?? new Set<AdmittedConnection>();
    if (group === LOCAL) return own.size < local ? undefined : [own];
    if (own.size >= perAddress) return [own];
    const localSize = this.#groups.get(LOCAL)?.size ?? 0;
    if (this.size - localSize < remote) return undefined;
    return bySize(
      [...this.#groups].filter(([name]) => name !== LOCAL).map(([, connections]) => connections),
    );
  }
}

/**
 * The connections of all groups of one size together, the largest first, so that an address with
 * few connections keeps them longest.
 */
function bySize(
  groups: readonly ReadonlySet<AdmittedConnection>[],
): Iterable<AdmittedConnection>[] {
  const sizes = new Map<number, AdmittedConnection[]>();
  for (const group of groups) {
    const same = sizes.get(group.size) ?? [];
    same.push(...group);
    sizes.set(group.size, same);
  }
  return [...sizes].sort(([a], [b]) => b - a).map(([, connections]) => connections);
}

function longestIdleAmong(
  groups: readonly Iterable<AdmittedConnection>[],
): AdmittedConnection | undefined {
  for (const connections of groups) {
    const longest = longestIdle(connections);
    if (longest !== undefined) return longest;
  }
  return undefined;
}

function longestIdle(connections: Iterable<AdmittedConnection>): AdmittedConnection | undefined {
  let longest: AdmittedConnection | undefined;
  for (const connection of connections) {
    const { idleSince } = connection;
    if (idleSince !== undefined && idleSince < (longest?.idleSince ?? Infinity)) {
      longest = connection;
    }
  }
  return longest;
}

/** An IPv6 address stands for its /64: its owner has all of it. */
function groupOf(address: string): string {
  const bytes = bytesOf(address);
  return bytes?.length === 16 ? bytes.slice(0, 8).join() : address;
}
