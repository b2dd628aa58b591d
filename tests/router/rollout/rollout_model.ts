import { Election } from "../../../lib/router/rollout/election.ts";

/**
 * Times of the agent, ms: a question to one who is gone, to one who is only late, and to the next
 * that is asked, and to all of them; a stall, the end of patience, and more for each hop.
 */
const GONE_MS = 400;
const LATE_MS = 1000;
const SECOND_MS = 250;
const QUESTION_MS = LATE_MS + SECOND_MS;
/** A coordinator that died is asked in vain until that is noticed. */
const NOTICED_MS = 2000;
const STALL_MS = 1000;
const GIVE_UP_MS = 1300;
const PATIENCE_PER_NODE_MS = 300;
/** Homes that are asked for one answer. */
const MAX_ASKED = 3;
/** Names that are tried one after the other before a node goes upstream. */
const MAX_NAMES = 8;
const TICK_MS = 20;
/** Time over which a rate is judged. */
const SLOW_MS = 1000;
/** Pulls that have not ended by then never will. */
const END_MS = 120_000;
/** Content that upstream gives a node in so many ms; peers pass it on as fast as they have it. */
const FETCH_MS = 2000;

/**
 * Longest time for which a node that is not fetching may get nothing: a stall as deep as can be, the
 * questions that follow, once more with the next that is named, and once more when the runtime has
 * asked for the rest, after which it goes upstream.
 */
export const WAIT_BOUND_MS = 3 * (GIVE_UP_MS + 11 * PATIENCE_PER_NODE_MS + QUESTION_MS + 100);

/** What came of one run. */
export interface ModelOutcome {
  /** Nodes whose pull neither ended nor died with them. */
  readonly hanging: number;
  /** Longest time without a byte of a node that was not fetching, ms. */
  readonly longestWaitMs: number;
  /** Times that a node went upstream. */
  readonly fetches: number;
  /** Deaths, lost messages, partitions (one for each node that is cut off), upstream's failures. */
  readonly faults: number;
}

type State = "idle" | "asking" | "following" | "fetching" | "done" | "refused" | "dead";

interface Node {
  readonly id: string;
  readonly zone: string | undefined;
  readonly startAt: number;
  state: State;
  /** ms of the content that are there. */
  have: number;
  lastProgress: number;
  since: number;
  parent: Node | undefined;
  depth: number;
  failed: string | undefined;
  names: number;
  /** Began with something, so that a client waits for the rest. */
  receivedInRequest: boolean;
  stallAsked: boolean;
  /** Times that it was told whom to follow since there were bytes: the first gets its time. */
  renewals: number;
  dieAt: number;
  /** Upstream refuses it, or stands still for it in this span. */
  readonly refusedUpstream: boolean;
  readonly upstreamStall: readonly [number, number];
  /** Share of the usual rate at which upstream sends to it. */
  readonly upstreamRate: number;
  /** What was there when the rate was last looked at, and when. */
  measured: { readonly have: number; readonly at: number };
  /** What it decides for others. */
  readonly election: Election;
  answer: { readonly at: number; readonly say: () => void } | undefined;
}

/** Runs one rollout with random delays, losses, deaths and partitions, by the real election. */
export class RolloutModel {
  readonly #random: () => number;
  readonly #nodes: Node[];
  readonly #lossRate: number;
  readonly #partition: { readonly from: number; readonly to: number; readonly side: Set<Node> };
  #now = 0;
  #fetches = 0;
  #faults = 0;
  #longestWaitMs = 0;

  constructor(seed: number) {
    const random = this.#random = mulberry(seed);
    const count = 2 + Math.floor(random() * 11);
    const calm = random() < 0.2;
    const chance = (share: number) => !calm && random() < share;
    this.#lossRate = chance(0.4) ? random() * 0.2 : 0;
    const clock = { now: () => this.#now };
    // Some clusters have no zones, and some nodes do not know theirs yet.
    const zones = Math.floor(random() * 4);
    this.#nodes = Array.from({ length: count }, (_, n) => {
      const stallAt = random() * 4000;
      return {
        id: `n${n}`,
        zone: zones > 0 && random() < 0.9 ? `zone ${Math.floor(random() * zones)}` : undefined,
        startAt: Math.floor(random() * (random() < 0.5 ? 50 : 1500)),
        state: "idle" as const,
        have: 0,
        lastProgress: 0,
        since: 0,
        parent: undefined,
        depth: 0,
        failed: undefined,
        names: 0,
        receivedInRequest: false,
        stallAsked: false,
        renewals: 0,
        dieAt: chance(0.15) ? random() * 5000 : Infinity,
        refusedUpstream: chance(0.1),
        upstreamStall: chance(0.15) ? [stallAt, stallAt + random() * 6000] : [0, 0],
        upstreamRate: chance(0.1) ? 0.05 : 1,
        measured: { have: 0, at: 0 },
        election: new Election(clock),
        answer: undefined,
      };
    });
    const from = chance(0.25) ? random() * 4000 : Infinity;
    const side = new Set(this.#nodes.filter(() => random() < 0.5));
    this.#partition = { from, to: from + random() * 8000, side };
  }

  /** Runs until all pulls have ended. */
  run(): ModelOutcome {
    for (; this.#now < END_MS; this.#now += TICK_MS) {
      if (this.#nodes.every(isOver)) break;
      // Who is next has nothing to do with who is nearer to upstream.
      const first = Math.floor(this.#random() * this.#nodes.length);
      for (let i = 0; i < this.#nodes.length; i++) {
        const node = this.#nodes[(first + i) % this.#nodes.length];
        if (node !== undefined) this.#step(node);
      }
    }
    const hanging = this.#nodes.filter((node) => !isOver(node)).length;
    return {
      hanging,
      longestWaitMs: this.#longestWaitMs,
      fetches: this.#fetches,
      faults: this.#faults + this.#cutOff(),
    };
  }

  /** A partition makes one more coordinator, and parts each node from its peer at most twice. */
  #cutOff(): number {
    return this.#partition.from < this.#now ? 1 + this.#partition.side.size : 0;
  }

  #step(node: Node): void {
    if (isOver(node)) return;
    if (this.#now >= node.dieAt) {
      node.state = "dead";
      this.#faults++;
      return;
    }
    if (node.state === "idle") {
      if (this.#now < node.startAt) return;
      node.lastProgress = this.#now;
      return this.#request(node);
    }
    if (node.state !== "fetching") {
      this.#longestWaitMs = Math.max(this.#longestWaitMs, this.#now - node.lastProgress);
    }
    if (node.answer !== undefined && this.#now >= node.answer.at) {
      const { say } = node.answer;
      node.answer = undefined;
      say();
    }
    if (node.state === "fetching") this.#fetchOn(node);
    else if (node.state === "following") this.#followOn(node);
  }

  /** The runtime asks, or asks again. */
  #request(node: Node): void {
    node.failed = undefined;
    node.receivedInRequest = false;
    node.names = 0;
    this.#ask(node);
  }

  #ask(node: Node, slow = false): void {
    node.stallAsked = true;
    if (slow) node.names = 0;
    if (node.state !== "following") node.state = "asking";
    if (++node.names > MAX_NAMES) return this.#upstream(node);
    this.#askCoordinator(node, this.#coordinators(node), slow);
  }

  /** Asks the first coordinator; the next one where the answer does not come. */
  #askCoordinator(
    node: Node,
    [coordinator, ...others]: readonly Node[],
    slow: boolean,
    spentMs = 0,
  ): void {
    if (coordinator === undefined || spentMs >= QUESTION_MS) return this.#unanswered(node);
    const { failed } = node;
    const isLost = coordinator !== node && this.#random() < this.#lossRate;
    const isDead = coordinator.state === "dead";
    // Lost on the way there, or on the way back.
    const isHeard = !isDead && (!isLost || this.#random() < 0.5);
    const decision = isHeard
      ? coordinator.election.decide({ key: "k", id: node.id, zone: node.zone, failed, slow })
      : undefined;
    if (isLost || isDead) {
      // That it died is counted where it does.
      if (!isDead) this.#faults++;
      const isGone = isDead || this.#random() < 0.5;
      const longMs = isGone ? GONE_MS : LATE_MS;
      const waitMs = spentMs > 0 ? SECOND_MS : longMs;
      const say = () => this.#askCoordinator(node, others, slow, spentMs + waitMs);
      node.answer = { at: this.#now + waitMs, say };
      return;
    }
    const at = this.#now + (coordinator === node ? 0 : this.#random() * 80);
    node.answer = {
      at,
      say: () => {
        if (decision === undefined || decision.type === "fetch") return this.#upstream(node);
        if (slow && decision.id === failed) return;
        const parent = this.#nodes.find(({ id }) => id === decision.id);
        if (parent !== undefined) this.#follow(node, parent, decision.depth);
      },
    };
  }

  /** Nobody said what to do: a body that has begun is kept until patience ends. */
  #unanswered(node: Node): void {
    if (node.state !== "following" || !node.receivedInRequest) this.#upstream(node);
  }

  #follow(node: Node, parent: Node, depth: number): void {
    node.failed = parent.id;
    const hasIt = parent.state !== "idle" && parent.state !== "dead" && parent.state !== "refused";
    // Unreachable, or without an ingest: another is asked for, at once.
    if (!hasIt || this.#isParted(node, parent)) return this.#ask(node);
    node.state = "following";
    node.parent = parent;
    node.depth = depth;
    node.since = this.#now;
    node.renewals++;
    node.stallAsked = false;
  }

  #upstream(node: Node): void {
    this.#fetches++;
    node.parent = undefined;
    node.answer = undefined;
    if (node.refusedUpstream) {
      this.#faults++;
      node.state = "refused";
      return;
    }
    node.state = "fetching";
    if (this.#now < node.upstreamStall[1]) this.#faults++;
    if (node.upstreamRate < 1) this.#faults++;
  }

  #fetchOn(node: Node): void {
    const [from, to] = node.upstreamStall;
    if (this.#now >= from && this.#now < to) return;
    this.#receive(node, TICK_MS * node.upstreamRate);
  }

  #followOn(node: Node): void {
    const { parent } = node;
    if (parent === undefined) return;
    const isBroken = parent.state === "dead" || parent.state === "refused";
    if (isBroken) {
      if (node.answer === undefined) this.#ask(node);
      return;
    }
    // A reader does not see what its parent got in the same moment.
    const more = Math.min(TICK_MS, parent.have - node.have);
    if (more > 0 && !this.#isParted(node, parent)) {
      node.receivedInRequest = true;
      this.#receive(node, more);
      if (!isOver(node)) this.#measure(node);
      return;
    }
    const afresh = node.receivedInRequest && node.renewals > 1 ? 0 : node.since;
    const idleMs = this.#now - Math.max(node.lastProgress, afresh);
    const patienceMs = (node.depth + 1) * PATIENCE_PER_NODE_MS;
    if (idleMs >= GIVE_UP_MS + patienceMs && node.answer === undefined) {
      if (!node.receivedInRequest) return this.#upstream(node);
      // The body breaks, and the runtime asks for the rest.
      return this.#request(node);
    }
    // Who was just told whom to follow gives that one its time.
    const quietMs = this.#now - Math.max(node.lastProgress, node.since);
    if (quietMs >= STALL_MS + patienceMs && !node.stallAsked) {
      node.names = 0;
      this.#ask(node);
    }
  }

  /** Asks again when it is slow, which may be a node's fault or upstream's. */
  #measure(node: Node): void {
    const { have, at } = node.measured;
    const windowMs = SLOW_MS + (node.depth + 1) * PATIENCE_PER_NODE_MS;
    if (this.#now - Math.max(at, node.since) < windowMs) return;
    const isSlow = at >= node.since && node.have - have < windowMs / 5;
    node.measured = { have: node.have, at: this.#now };
    if (isSlow && node.answer === undefined) this.#ask(node, true);
  }

  #receive(node: Node, bytes: number): void {
    node.have += bytes;
    node.renewals = 0;
    node.lastProgress = this.#now;
    if (node.have >= FETCH_MS) node.state = "done";
  }

  /** The nodes nearest to the key that this node can reach, as far as it knows: the first ones. */
  #coordinators(node: Node): Node[] {
    const nearer = this.#nodes.slice(0, this.#nodes.indexOf(node)).filter((other) =>
      !this.#isParted(node, other) && this.#now < other.dieAt + NOTICED_MS
    );
    return nearer.length < MAX_ASKED ? [...nearer, node] : nearer.slice(0, MAX_ASKED);
  }

  #isParted(a: Node, b: Node): boolean {
    const { from, to, side } = this.#partition;
    return this.#now >= from && this.#now < to && side.has(a) !== side.has(b);
  }
}

function isOver({ state }: Node): boolean {
  return state === "done" || state === "refused" || state === "dead";
}

/** A small generator of random numbers that a seed determines (mulberry32). */
function mulberry(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
