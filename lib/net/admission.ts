import { isIPv6 } from "node:net";

/** A connection that was let in. */
export interface Guest {
  /** Since when nothing is being done for it, ms by any clock; undefined while something is. */
  readonly idleSince: number | undefined;
  /** Ends it at once. */
  close(): void;
}

/** Most connections that are let in. */
export interface AdmissionLimits {
  /** From this node. */
  readonly locals: number;
  /** From elsewhere, in all. */
  readonly strangers: number;
  /** From elsewhere, of one address. */
  readonly perAddress: number;
}

/** What an {@link Admission} works with. */
export interface AdmissionCollaborators {
  readonly limits: () => AdmissionLimits;
  /** Tries to raise the limits; tells whether they are higher now. */
  readonly raise: () => boolean;
  /** Tells whether an address is one of this node. */
  readonly isLocal: (address: string) => boolean;
}

const LOCAL = "local";

/**
 * Decides which connections are let in, so that nobody takes the places of all others: a limit for
 * each address, one for all strangers, and places of their own for clients on this node. Whoever
 * comes when there is no place gets that of the connection that has done nothing for longest, of
 * the address with most; where all are busy, none.
 */
export class Admission {
  readonly #collaborators: AdmissionCollaborators;
  readonly #groupOf = new Map<Guest, string>();
  readonly #groups = new Map<string, Set<Guest>>();

  constructor(collaborators: AdmissionCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#groupOf.size;
  }

  /** Lets a connection in, or not. */
  admit(guest: Guest, address: string): boolean {
    const group = this.#collaborators.isLocal(address) ? LOCAL : groupOf(address);
    let inTheWay = this.#inTheWay(group);
    while (inTheWay !== undefined && this.#collaborators.raise()) inTheWay = this.#inTheWay(group);
    if (inTheWay !== undefined) {
      const longest = longestIdleOf(inTheWay);
      if (longest === undefined) return false;
      this.leave(longest);
      longest.close();
    }
    this.#groupOf.set(guest, group);
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Set([guest]));
    else members.add(guest);
    return true;
  }

  /** A connection has ended. May be called again. */
  leave(guest: Guest): void {
    const group = this.#groupOf.get(guest);
    if (group === undefined) return;
    this.#groupOf.delete(guest);
    const members = this.#groups.get(group);
    members?.delete(guest);
    if (members?.size === 0) this.#groups.delete(group);
  }

  /** Of whom one would have to go, in turn, to make room for the group; undefined if there is room. */
  #inTheWay(group: string): Iterable<Guest>[] | undefined {
    const { locals, strangers, perAddress } = this.#collaborators.limits();
    const own = this.#groups.get(group) ?? new Set<Guest>();
    if (group === LOCAL) return own.size < locals ? undefined : [own];
    if (own.size >= perAddress) return [own];
    const localSize = this.#groups.get(LOCAL)?.size ?? 0;
    if (this.size - localSize < strangers) return undefined;
    return bySize([...this.#groups].filter(([name]) => name !== LOCAL).map(([, guests]) => guests));
  }
}

/** All of groups of one size together, the largest first: who has few keeps them longest. */
function bySize(groups: readonly ReadonlySet<Guest>[]): Iterable<Guest>[] {
  const sizes = new Map<number, Guest[]>();
  for (const group of groups) {
    const same = sizes.get(group.size) ?? [];
    same.push(...group);
    sizes.set(group.size, same);
  }
  return [...sizes].sort(([a], [b]) => b - a).map(([, guests]) => guests);
}

function longestIdleOf(groups: readonly Iterable<Guest>[]): Guest | undefined {
  for (const guests of groups) {
    const longest = longestIdle(guests);
    if (longest !== undefined) return longest;
  }
  return undefined;
}

function longestIdle(guests: Iterable<Guest>): Guest | undefined {
  let longest: Guest | undefined;
  for (const guest of guests) {
    const { idleSince } = guest;
    if (idleSince !== undefined && idleSince < (longest?.idleSince ?? Infinity)) longest = guest;
  }
  return longest;
}

/** Whoever has an IPv6 address has those of its /64, too. */
function groupOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [before = "", after] = address.split("%")[0]?.split("::") ?? [];
  const head = before.split(":").filter((part) => part !== "");
  const tail = after?.split(":").filter((part) => part !== "") ?? [];
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  const parts = [...head, ...Array<string>(Math.max(0, zeros)).fill("0"), ...tail];
  return parts.slice(0, 4).map((part) => part.replace(/^0+(?=.)/, "").toLowerCase()).join(":");
}
