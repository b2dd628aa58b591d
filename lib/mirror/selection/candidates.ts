import { setImmediate } from "node:timers";
import type { Runtime } from "../../ports/runtime.ts";
import type { Peer, Router } from "../../ports/router.ts";
import { type Link, link } from "../../async/link.ts";
import type { AskedInVain } from "./asked_in_vain.ts";
import type { Candidate, NextOptions } from "./candidate.ts";
import type { ElectedParents } from "./elected_parents.ts";
import type { PeerHealth } from "./peer_health.ts";
import type { Prober } from "./prober.ts";
import type { Sender } from "../http/sender.ts";

/** What {@link Candidates} works with. */
export interface CandidatesCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly router: Pick<Router, "lookup" | "hasLeft">;
  /** Asked when nobody else is left; undefined: nobody is. */
  readonly parents?: ElectedParents | undefined;
  readonly health: PeerHealth;
  readonly inVain: AskedInVain;
  readonly prober: Prober;
  /** Source of randomness in [0, 1). */
  readonly random: () => number;
}

/** Settings of {@link Candidates}. */
export interface CandidatesOptions {
  /** How long the first peer is waited for, ms. */
  readonly resolveTimeoutMs: number;
  /** How long a sign of life is waited for when all peers were down, ms. */
  readonly probeWaitMs: number;
  /** How long to wait when all peers are busy, ms. */
  readonly busyWaitMs: number;
  /** Peers taken from one lookup. */
  readonly maxCandidates: number;
}

/** How often busy peers are looked at even if none has ended a request. */
const BUSY_POLL_MS = 20;
/** So many who cannot be asked are named one after the other before that is given up. */
const MAX_NAMES = 8;
/** A lookup goes on in the background for so long, for the sake of a later failover. */
const LOOKUP_LIMIT_MS = 1000;
/** More than any cost amounts to in a rank. */
const LAST = 1000;
/** A second lookup is made only when a transfer has to be saved, and may take longer. */
const REFRESH_TIMEOUT_MS = 200;

/** The peers that may have some content, best first, while the router still finds them. */
export class Candidates {
  readonly #collaborators: CandidatesCollaborators;
  readonly #options: CandidatesOptions;
  readonly #key: string;
  readonly #known = new Map<string, Peer>();
  readonly #tried = new Set<string>();
  readonly #banned = new Set<string>();
  #lookup: Link | undefined;
  #changed = Promise.withResolvers<void>();
  #waitUntil = 0;
  #gathered = false;

  constructor(key: string, collaborators: CandidatesCollaborators, options: CandidatesOptions) {
    this.#key = key;
    this.#collaborators = collaborators;
    this.#options = options;
    this.#start(options.resolveTimeoutMs);
  }

  /** How many peers were found that are still there. */
  get found(): number {
    return [...this.#known.keys()].filter((id) => !this.#collaborators.router.hasLeft(id)).length;
  }

  /** How many of them can be asked just now. */
  get able(): number {
    const { router, health } = this.#collaborators;
    return [...this.#known.values()].filter((peer) =>
      !this.#banned.has(peer.id) && !router.hasLeft(peer.id) && health.standing(peer) === "good"
    ).length;
  }

  /** Whether the router had not finished when waiting for it ended. */
  get searching(): boolean {
    return this.#lookup !== undefined;
  }

  /** Who is named when nobody has it; undefined if nobody is. */
  get parents(): Pick<ElectedParents, "named" | "elected" | "outcome"> | undefined {
    return this.#collaborators.parents;
  }

  /** Whether any peer that was found is not asked because of wrong content. */
  get shunned(): boolean {
    const { health } = this.#collaborators;
    return [...this.#known.values()].some((peer) => health.standing(peer) === "shunned");
  }

  /** Whether there are peers that are only too busy, or busy with just this stream. */
  isBusy(stream: string): boolean {
    const { health } = this.#collaborators;
    return this.#open().some((peer) =>
      health.standing(peer) === "good" && !health.free(peer.id, stream)
    );
  }

  /**
   * The best peer not handed out yet; undefined if there is none. Waits for the router, for peers
   * that are busy, and for peers that were down to show life, each only for as long as the options
   * say.
   */
  async next(
    signal: AbortSignal,
    { stream, hedging = false }: NextOptions = {},
  ): Promise<Candidate | undefined> {
    while (true) {
      await this.#gather();
      signal.throwIfAborted();
      const best = this.#take(stream);
      if (best !== undefined) return best;
      const leftMs = this.#leftMs(this.#known.size > 0);
      if (this.#lookup === undefined || leftMs <= 0) break;
      await this.#wait(leftMs, signal, this.#changed.promise);
    }
    if (stream !== undefined && this.isBusy(stream)) return await this.#freed(signal, stream);
    return await this.#revived(signal, stream) ??
      (hedging ? undefined : await this.#parent(signal, stream));
  }

  /** Lets a peer be handed out again that could not be asked. */
  putBack(id: string): void {
    this.#tried.delete(id);
  }

  /** It did not come from there: whoever else is said to have it goes before. */
  inVain(sender: Pick<Sender, "peer" | "address">): void {
    this.#collaborators.inVain.add(this.#key, sender);
  }

  /** Never hands out this peer again. */
  ban(id: string): void {
    this.#banned.add(id);
  }

  /** Looks up anew; peers that were tried before, yet not banned, may be handed out once more. */
  refresh(options: { readonly slow: boolean } = { slow: false }): void {
    this.close();
    this.#tried.clear();
    this.#collaborators.parents?.renew(options);
    this.#start(REFRESH_TIMEOUT_MS);
  }

  /** Ends the lookup. */
  close(): void {
    this.#lookup?.abort();
    this.#lookup = undefined;
  }

  #start(waitMs: number): void {
    const { clock, log } = this.#collaborators;
    const lookup = link();
    this.#lookup = lookup;
    this.#waitUntil = clock.now() + waitMs;
    clock.sleep(LOOKUP_LIMIT_MS, { signal: lookup.signal }).then(() => lookup.abort(), () => {});
    this.#collect(lookup.signal).catch((error) => {
      if (!lookup.signal.aborted) log.warn("looking up peers failed", { key: this.#key, error });
    }).finally(() => {
      lookup.abort();
      if (this.#lookup === lookup) this.#lookup = undefined;
      this.#change();
    });
  }

  async #collect(signal: AbortSignal): Promise<void> {
    let taken = 0;
    for await (const peer of this.#collaborators.router.lookup(this.#key, { signal })) {
      if (signal.aborted) return;
      this.#known.set(peer.id, peer);
      this.#change();
      if (++taken >= this.#options.maxCandidates) return;
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Lets peers arrive that the router already has, before one is chosen among them. */
  async #gather(): Promise<void> {
    const isOver = this.#lookup === undefined && this.#known.size === 0;
    if (this.#gathered || isOver) return;
    if (this.#known.size > 0) this.#gathered = true;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  #open(): Peer[] {
    const { router } = this.#collaborators;
    return [...this.#known.values()].filter(({ id }) =>
      !this.#tried.has(id) && !this.#banned.has(id) && !router.hasLeft(id)
    );
  }

  /** Hands out the best peer. */
  #take(stream: string | undefined, again = false): Candidate | undefined {
    const { health, prober } = this.#collaborators;
    const peer = this.#best(stream, again);
    if (peer === undefined) return undefined;
    this.#tried.add(peer.id);
    // Those that were down are looked at meanwhile, so that the load is not left to the others.
    for (const other of this.#open()) prober.revive(other);
    return { peer, release: health.begin(peer.id, stream) };
  }

  /**
   * Waits a moment for a peer that has room. Then one is asked again for what it is sending already:
   * whoever wants a large blob a second time cannot wait for all of it, nor can it be kept for him.
   */
  async #freed(signal: AbortSignal, stream: string): Promise<Candidate | undefined> {
    const { clock, health } = this.#collaborators;
    const until = clock.now() + this.#options.busyWaitMs;
    while (true) {
      const leftMs = until - clock.now();
      if (leftMs <= 0) return this.#take(stream, true);
      await this.#wait(Math.min(leftMs, BUSY_POLL_MS), signal, health.freed());
      const best = this.#take(stream);
      if (best !== undefined) return best;
    }
  }

  /** The cheapest, asked in vain last; of those that cost about the same any, to spread load. */
  #best(stream: string | undefined, again: boolean): Peer | undefined {
    const { health, inVain, random } = this.#collaborators;
    const able = this.#open().filter((peer) =>
      health.standing(peer) === "good" &&
      (stream === undefined || health.free(peer.id, stream, again))
    );
    const ranked = able.map((peer) => ({
      peer,
      rank: Math.round(2 * Math.log2(health.cost(peer.id))) +
        (inVain.has(this.#key, peer) ? LAST : 0),
    }));
    const lowest = Math.min(...ranked.map(({ rank }) => rank));
    const equals = ranked.filter(({ rank }) => rank === lowest);
    return equals[Math.floor(random() * equals.length)]?.peer;
  }

  /** Probes peers that are down and waits a moment for one that answers. */
  async #revived(
    signal: AbortSignal,
    stream: string | undefined,
  ): Promise<Candidate | undefined> {
    const { health, prober } = this.#collaborators;
    const probes = this.#open().filter((peer) => health.standing(peer) === "down").flatMap(
      (peer) => {
        const probe = prober.revive(peer);
        return probe === undefined
          ? []
          : [probe.then((alive) => alive || Promise.reject(new Error("no sign of life")))];
      },
    );
    if (probes.length === 0) return undefined;
    const first = Promise.any(probes).then(() => {}, () => {});
    // Not in addition to a lookup that has used up the time for finding a peer.
    const waitMs = Math.max(Math.min(this.#options.probeWaitMs, this.#leftMs(true)), 0);
    await this.#wait(waitMs, signal, first);
    return this.#take(stream);
  }

  /** Somebody to whom it is on its way. */
  async #parent(signal: AbortSignal, stream: string | undefined): Promise<Candidate | undefined> {
    const { parents, health, router } = this.#collaborators;
    for (let names = 0; names < MAX_NAMES && !signal.aborted; names++) {
      const turn = await parents?.next({ signal });
      if (turn === undefined) break;
      const { peer, depth } = turn;
      if (router.hasLeft(peer.id) || health.standing(peer) !== "good") continue;
      return { peer, release: health.begin(peer.id, stream), depth };
    }
    return undefined;
  }

  /** Time left for finding a peer; less if some are known already. */
  #leftMs(someKnown: boolean): number {
    const patience = someKnown ? this.#options.resolveTimeoutMs / 4 : 0;
    return this.#waitUntil - patience - this.#collaborators.clock.now();
  }

  async #wait(ms: number, signal: AbortSignal, event: Promise<void>): Promise<void> {
    const timer = link(signal);
    const slept = this.#collaborators.clock.sleep(ms, { signal: timer.signal }).catch(() => {});
    try {
      await Promise.race([event, slept]);
    } finally {
      timer.abort();
    }
    signal.throwIfAborted();
  }
}
