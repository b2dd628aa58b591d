import { LRUCache } from "lru-cache";
import type { Clock } from "../../ports/clock.ts";

export interface ElectionOptions {
  /** Nodes that fetch the same content from upstream. */
  readonly fetchers: number;
  /** The same if one is slow: another fetcher finds out whether upstream is faster for it. */
  readonly slowFetchers: number;
  /** Maximum children of a node, unless there is no other candidate. */
  readonly fanOut: number;
  /**
   * Maximum children of a node in its own zone before a node follows a parent in another zone. Two
   * children at once halve the rate, but traffic between zones costs money.
   */
  readonly zoneFanOut: number;
  /** Maximum depth of a parent, unless there is no other candidate. */
  readonly maxDepth: number;
  /** Lifetime of a fetch tree after its last question, ms. */
  readonly ttlMs: number;
}

/** Defaults of {@link ElectionOptions}. */
const ELECTION_DEFAULTS: ElectionOptions = {
  fetchers: 1,
  slowFetchers: 2,
  fanOut: 4,
  zoneFanOut: 2,
  maxDepth: 9,
  ttlMs: 60_000,
};

/** A node's question. */
export interface AssignmentRequest {
  readonly key: string;
  /** Id of the asking node. */
  readonly id: string;
  /** So small that one node can send it to all others; default false. */
  readonly small?: boolean;
  /** Zone of the node, if known. */
  readonly zone?: string | undefined;
  /** Previously assigned parent, if it failed. */
  readonly failed?: string | undefined;
  /** That parent makes progress, but slowly; default false. */
  readonly slow?: boolean;
}

/** The answer to a node. */
export type Decision =
  | { readonly type: "fetch" }
  | {
    readonly type: "follow";
    readonly id: string;
    /** Number of nodes between the parent and upstream. */
    readonly depth: number;
  };

/** The fetch tree of one key. */
export interface RolloutState {
  readonly key: string;
  /** Nodes and their parents; undefined for those that fetch from upstream. */
  readonly members: readonly {
    readonly id: string;
    readonly parent: string | undefined;
    readonly failed: boolean;
  }[];
}

interface Member {
  readonly id: string;
  readonly zone: string | undefined;
  /** Undefined: it fetches from upstream. */
  parent: string | undefined;
  /** When it was assigned that. */
  assignedAt: number;
  failed: boolean;
  /** Parents that failed it, and when it reported that. */
  readonly refused: Map<string, number>;
}

/** A node that needs a parent. */
interface Requester {
  readonly id: string;
  readonly zone: string | undefined;
  /** Parents that failed it, and when it reported that. */
  readonly refused: ReadonlyMap<string, number>;
  readonly small: boolean;
}

interface Candidate {
  readonly id: string;
  /** It is in the same zone. */
  readonly inSameZone: boolean;
  /** Number of nodes between it and upstream. */
  readonly depth: number;
  /** Number of its children. */
  readonly children: number;
}

/** For small content each level costs more time than the transfer itself. */
const SMALL = { fanOut: 64, zoneFanOut: 64, maxDepth: 1 };
/** Maximum keys, and nodes of one key. */
const MAX_KEYS = 4096;
const MAX_MEMBERS = 8192;
/** Maximum depth of a parent in any case. */
const MAX_STEPS = 64;

/**
 * Assigns who fetches content from upstream, and a parent to every other node: the first node that
 * asks fetches, the others form a tree below it. Until the tree is too deep each node has one child
 * only: then all nodes get the content at the rate of one link, and not at a fraction of it. A node
 * with a known zone follows a parent in its zone, if there is one.
 *
 * The assignments are best effort: a node with a wrong one falls back to upstream.
 */
export class Election {
  readonly #clock: Pick<Clock, "now">;
  readonly #options: ElectionOptions;
  readonly #rollouts = new LRUCache<string, { askedAt: number; members: Map<string, Member> }>({
    max: MAX_KEYS,
  });

  constructor(clock: Pick<Clock, "now">, options: Partial<ElectionOptions> = {}) {
    this.#clock = clock;
    this.#options = { ...ELECTION_DEFAULTS, ...options };
  }

  /** Assigns a node. */
  decide({ key, id, zone, failed, small = false, slow = false }: AssignmentRequest): Decision {
    const members = this.#members(key);
    const now = this.#clock.now();
    const member = members.get(id);
    // A node that asks is alive, whatever its children reported.
    if (member !== undefined) member.failed = false;
    if (member !== undefined && member.parent === undefined) return { type: "fetch" };
    if (member !== undefined && failed !== undefined && member.parent === failed) {
      const parent = members.get(failed);
      // It was reassigned meanwhile: the report is out of date.
      if (parent !== undefined && parent.assignedAt > member.assignedAt) {
        member.assignedAt = now;
        return follow(parent, members);
      }
      if (parent !== undefined && !slow) parent.failed = true;
      member.refused.set(failed, now);
    } else if (member?.parent !== undefined && failed === undefined) {
      const parent = members.get(member.parent);
      if (parent?.failed === false) return follow(parent, members);
    }
    const refused = member?.refused ?? new Map(failed === undefined ? [] : [[failed, now]]);
    const { fetching, candidate: found } = this.#countAndChoose(
      { id, zone, refused, small },
      members,
    );
    let candidate = fetching < this.#options.fetchers ? undefined : found;
    const failedParent = failed === undefined ? undefined : members.get(failed);
    if (slow && failedParent !== undefined) {
      // A second node fetches only if the slow parent fetches itself: others are slow because of
      // it.
      const mayFetch = failedParent.parent === undefined && fetching < this.#options.slowFetchers;
      candidate = mayFetch ? undefined : found ?? toCandidate(failedParent, members);
    }
    if (members.size < MAX_MEMBERS || member !== undefined) {
      members.set(id, { id, zone, parent: candidate?.id, assignedAt: now, failed: false, refused });
    }
    if (candidate === undefined) return { type: "fetch" };
    return { type: "follow", id: candidate.id, depth: candidate.depth };
  }

  /** The current fetch trees, for the debug page. */
  snapshot(): RolloutState[] {
    const now = this.#clock.now();
    return [...this.#rollouts.entries()].filter(([, { askedAt }]) =>
      now - askedAt < this.#options.ttlMs
    ).map(([key, { members }]) => ({
      key,
      members: [...members.values()].map(({ id, parent, failed }) => ({ id, parent, failed })),
    }));
  }

  #members(key: string): Map<string, Member> {
    const now = this.#clock.now();
    const known = this.#rollouts.get(key);
    if (known !== undefined && now - known.askedAt < this.#options.ttlMs) {
      known.askedAt = now;
      return known.members;
    }
    const members = new Map<string, Member>();
    this.#rollouts.set(key, { askedAt: now, members });
    return members;
  }

  /** Number of other nodes that fetch, and the best parent for a node. */
  #countAndChoose(
    { id, zone, refused, small }: Requester,
    members: ReadonlyMap<string, Member>,
  ): { readonly fetching: number; readonly candidate: Candidate | undefined } {
    const { fanOut, maxDepth, zoneFanOut } = small ? SMALL : this.#options;
    const children = new Map<string, number>();
    let fetching = 0;
    for (const { id: child, parent, failed } of members.values()) {
      if (child === id || failed) continue;
      if (parent === undefined) fetching++;
      else children.set(parent, (children.get(parent) ?? 0) + 1);
    }
    const candidates: Candidate[] = [];
    for (const member of members.values()) {
      // A report from before its reassignment is out of date.
      const isRefused = (refused.get(member.id) ?? -Infinity) >= member.assignedAt;
      const depth = isRefused ? undefined : depthOf(member, members, id);
      if (depth === undefined) continue;
      const inSameZone = zone !== undefined && member.zone === zone;
      candidates.push({ id: member.id, inSameZone, depth, children: children.get(member.id) ?? 0 });
    }
    const withinLimits = candidates.filter(({ depth, children }) =>
      depth < maxDepth && children < fanOut
    );
    const sameZone = withinLimits.filter(({ inSameZone, children }) =>
      inSameZone && children < zoneFanOut
    );
    return { fetching, candidate: best(sameZone) ?? best(withinLimits) ?? best(candidates) };
  }
}

function follow(parent: Member, members: ReadonlyMap<string, Member>): Decision {
  const { id, depth } = toCandidate(parent, members);
  return { type: "follow", id, depth };
}

/** A member as a parent; zone and children are irrelevant here. */
function toCandidate(member: Member, members: ReadonlyMap<string, Member>): Candidate {
  return {
    id: member.id,
    inSameZone: false,
    depth: depthOf(member, members, "") ?? 0,
    children: 0,
  };
}

/**
 * The candidate with the fewest children; among leaves the shallowest, among others the deepest,
 * which delays fewer nodes.
 */
function best(candidates: readonly Candidate[]): Candidate | undefined {
  let first: Candidate | undefined;
  for (const candidate of candidates) {
    if (first === undefined || isBetter(candidate, first)) first = candidate;
  }
  return first;
}

function isBetter(a: Candidate, b: Candidate): boolean {
  if (a.children !== b.children) return a.children < b.children;
  return a.children === 0 ? a.depth < b.depth : a.depth > b.depth;
}

/**
 * Number of nodes between a member and upstream; undefined if one of them failed or is unknown, or
 * if the chain is circular or contains the excluded node.
 */
function depthOf(
  member: Member,
  members: ReadonlyMap<string, Member>,
  excluded: string,
): number | undefined {
  let depth = 0;
  for (let at: Member | undefined = member; at !== undefined; depth++) {
    if (at.id === excluded || at.failed || depth > MAX_STEPS) return undefined;
    if (at.parent === undefined) return depth;
    at = members.get(at.parent);
  }
  return undefined;
}
