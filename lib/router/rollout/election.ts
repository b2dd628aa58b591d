import { LRUCache } from "lru-cache";
import type { Clock } from "../../ports/clock.ts";

/** Settings of an {@link Election}. */
export interface ElectionOptions {
  /** Nodes that get the same content from upstream. */
  readonly fetchers: number;
  /** The same where one is slow: the others find out whether upstream is faster for them. */
  readonly slowFetchers: number;
  /** Nodes that one node sends to, unless there is no other way. */
  readonly fanOut: number;
  /**
   * Nodes of one zone that one of that zone sends to before one of them follows another zone: two at
   * once are half as fast, yet bytes that leave a zone cost money.
   */
  readonly zoneFanOut: number;
  /** Nodes between upstream and the farthest node, unless there is no other way. */
  readonly maxDepth: number;
  /** What nobody asks about any more is forgotten after so long, ms. */
  readonly ttlMs: number;
}

/** What holds where nothing else is asked for. */
export const ELECTION_DEFAULTS: ElectionOptions = {
  fetchers: 1,
  slowFetchers: 2,
  fanOut: 4,
  zoneFanOut: 2,
  maxDepth: 9,
  ttlMs: 60_000,
};

/** A node's question. */
export interface Ballot {
  readonly key: string;
  /** Id of the node that asks. */
  readonly id: string;
  /** So little that one node can send it to all; default false. */
  readonly small?: boolean;
  /** Zone of the node, if it knows it. */
  readonly zone?: string | undefined;
  /** Node that was named before and turned out to be of no use. */
  readonly failed?: string | undefined;
  /** That one does get on, but slowly; default false. */
  readonly slow?: boolean;
}

/** What a node is told. */
export type Decision =
  | { readonly type: "fetch" }
  | {
    readonly type: "follow";
    readonly id: string;
    /** Nodes between that one and upstream. */
    readonly depth: number;
  };

/** What is known of one key. */
export interface RolloutState {
  readonly key: string;
  /** Nodes and whom they follow; undefined for those that get it from upstream. */
  readonly members: readonly {
    readonly id: string;
    readonly parent: string | undefined;
    readonly failed: boolean;
  }[];
}

interface Member {
  readonly id: string;
  readonly zone: string | undefined;
  /** Undefined: it was told to fetch. */
  parent: string | undefined;
  /** When it was told that. */
  toldAt: number;
  failed: boolean;
  /** Nodes that were of no use to it, and when it said so. */
  readonly refused: Map<string, number>;
}

/** Who looks for a place. */
interface Seeker {
  readonly id: string;
  readonly zone: string | undefined;
  /** Nodes that were of no use to it, and when it said so. */
  readonly refused: ReadonlyMap<string, number>;
  readonly small: boolean;
}

interface Place {
  readonly id: string;
  /** It is of the same zone. */
  readonly isNear: boolean;
  /** Nodes between it and upstream. */
  readonly depth: number;
  /** Nodes that it sends to. */
  readonly children: number;
}

/** Each step costs more time than the content itself does. */
const SMALL = { fanOut: 64, zoneFanOut: 64, maxDepth: 1 };
/** Keys, and nodes of one key, that are remembered. */
const MAX_KEYS = 4096;
const MAX_MEMBERS = 8192;
/** Who is farther from upstream than this is not followed. */
const MAX_STEPS = 64;

/**
 * Decides who gets content from upstream and who gets it from whom: the first who asks fetches, the
 * others form a tree below. As long as it is not too deep each node sends to one other only: then
 * everybody gets the content as fast as one link carries it, and not at a fraction of that. Who knows
 * its zone follows one of that zone, if there is one.
 *
 * Nothing here is certain, and nobody depends on it: whoever is told nonsense goes upstream.
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

  /** Tells a node what to do. */
  decide({ key, id, zone, failed, small = false, slow = false }: Ballot): Decision {
    const members = this.#members(key);
    const now = this.#clock.now();
    const member = members.get(id);
    // Who asks is alive, whatever those who follow it have said.
    if (member !== undefined) member.failed = false;
    if (member !== undefined && member.parent === undefined) return { type: "fetch" };
    if (member !== undefined && failed !== undefined && member.parent === failed) {
      const parent = members.get(failed);
      // It was told something new meanwhile: what was said of it is out of date.
      if (parent !== undefined && parent.toldAt > member.toldAt) {
        member.toldAt = now;
        return follow(parent, members);
      }
      if (parent !== undefined && !slow) parent.failed = true;
      member.refused.set(failed, now);
    } else if (member?.parent !== undefined && failed === undefined) {
      const parent = members.get(member.parent);
      if (parent?.failed === false) return follow(parent, members);
    }
    const refused = member?.refused ?? new Map(failed === undefined ? [] : [[failed, now]]);
    const { fetching, place: found } = this.#look({ id, zone, refused, small }, members);
    let place = fetching < this.#options.fetchers ? undefined : found;
    const named = failed === undefined ? undefined : members.get(failed);
    if (slow && named !== undefined) {
      // A second one goes upstream only where that one does: others are slow because of it.
      const mayFetch = named.parent === undefined && fetching < this.#options.slowFetchers;
      place = mayFetch ? undefined : found ?? placeOf(named, members);
    }
    if (members.size < MAX_MEMBERS || member !== undefined) {
      members.set(id, { id, zone, parent: place?.id, toldAt: now, failed: false, refused });
    }
    if (place === undefined) return { type: "fetch" };
    return { type: "follow", id: place.id, depth: place.depth };
  }

  /** What is under way, for a page to look at. */
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

  /** How many others get it from upstream, and the best place for a node among all. */
  #look(
    { id, zone, refused, small }: Seeker,
    members: ReadonlyMap<string, Member>,
  ): { readonly fetching: number; readonly place: Place | undefined } {
    const { fanOut, maxDepth, zoneFanOut } = small ? SMALL : this.#options;
    const children = new Map<string, number>();
    let fetching = 0;
    for (const { id: child, parent, failed } of members.values()) {
      if (child === id || failed) continue;
      if (parent === undefined) fetching++;
      else children.set(parent, (children.get(parent) ?? 0) + 1);
    }
    const able: Place[] = [];
    for (const member of members.values()) {
      // What was said of it before it was told something new is out of date.
      const isRefused = (refused.get(member.id) ?? -Infinity) >= member.toldAt;
      const depth = isRefused ? undefined : depthOf(member, members, id);
      if (depth === undefined) continue;
      const isNear = zone !== undefined && member.zone === zone;
      able.push({ id: member.id, isNear, depth, children: children.get(member.id) ?? 0 });
    }
    const fitting = able.filter(({ depth, children }) => depth < maxDepth && children < fanOut);
    const near = fitting.filter(({ isNear, children }) => isNear && children < zoneFanOut);
    return { fetching, place: best(near) ?? best(fitting) ?? best(able) };
  }
}

function follow(parent: Member, members: ReadonlyMap<string, Member>): Decision {
  const { id, depth } = placeOf(parent, members);
  return { type: "follow", id, depth };
}

/** Where a member is; its zone, and to how many it sends, do not matter here. */
function placeOf(member: Member, members: ReadonlyMap<string, Member>): Place {
  return { id: member.id, isNear: false, depth: depthOf(member, members, "") ?? 0, children: 0 };
}

/** The one that sends least; leaves near to upstream, others far from it: they hold up fewer. */
function best(places: readonly Place[]): Place | undefined {
  let first: Place | undefined;
  for (const place of places) {
    if (first === undefined || isBetter(place, first)) first = place;
  }
  return first;
}

function isBetter(a: Place, b: Place): boolean {
  if (a.children !== b.children) return a.children < b.children;
  return a.children === 0 ? a.depth < b.depth : a.depth > b.depth;
}

/**
 * Nodes between a member and upstream; undefined if one of them failed or is not known any more, or
 * if they go round in a circle or by the node that is left out.
 */
function depthOf(
  member: Member,
  members: ReadonlyMap<string, Member>,
  but: string,
): number | undefined {
  let depth = 0;
  for (let at: Member | undefined = member; at !== undefined; depth++) {
    if (at.id === but || at.failed || depth > MAX_STEPS) return undefined;
    if (at.parent === undefined) return depth;
    at = members.get(at.parent);
  }
  return undefined;
}
