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
  /** Asked when no other peer is left; undefined: then none is asked. */
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
  /** How long to wait for a probe when all peers are down, ms. */
  readonly probeWaitMs: number;
  /** How long to wait when all peers are busy, ms. */
  readonly busyWaitMs: number;
  /** Peers taken from one lookup. */
  readonly maxCandidates: number;
}

/** How often busy peers are looked at even if none has ended a request. */
const BUSY_POLL_MS = 20;
/** How many parents that cannot be asked may be named in a row. */
const MAX_NAMES = 8;
/** How long a lookup goes on in the background, for a later failover, ms. */
const LOOKUP_LIMIT_MS = 1000;
/** More than the rank of any cost. */
const LAST = 1000;
/** A repeated lookup may take longer, as a transfer depends on it. */
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

  /** Whether the router's lookup is still under way. */
  get searching(): boolean {
    return this.#lookup !== undefined;
  }

  /** Names parents when no peer has the content; undefined if nodes do not agree on any. */
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
   * The best peer that was not returned yet; undefined if there is none. Waits for the router, for
   * busy peers, and for probes of peers that are down, each only for as long as the options say.
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

  /** Makes a peer available again that could not be asked. */
  putBack(id: string): void {
    this.#tried.delete(id);
  }

  /** The content did not come from there: other peers are asked first. */
  inVain(sender: Pick<Sender, "peer" | "address">): void {
    this.#collaborators.inVain.add(this.#key, sender);
  }

  /** Never returns this peer again. */
  ban(id: string): void {
    this.#banned.add(id);
  }

  /** Looks up again. Peers that were tried, but not banned, may be returned once more. */
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

  /** Collects the peers that the router already knows, before one of them is chosen. */
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

  /** Takes the best peer. */
  #take(stream: string | undefined, again = false): Candidate | undefined {
    const { health, prober } = this.#collaborators;
    const peer = this.#best(stream, again);
    if (peer === undefined) return undefined;
    this.#tried.add(peer.id);
    // Peers that are down are probed meanwhile, so that they share the load again.
    for (const other of this.#open()) prober.revive(other);
    return { peer, release: health.begin(peer.id, stream) };
  }

  /**
   * Waits a moment for a peer that has room. Then a peer is asked again for the content that it is
   * sending already: a second client of a large blob cannot wait for the first one's transfer, and
   * the blob is too large to be kept for it.
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

  /**
   * The cheapest peer, at random among those of about equal cost to spread the load. Peers that did
   * not deliver the content before come last.
   */
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
    // A lookup may have used up the time for finding a peer.
    const waitMs = Math.max(Math.min(this.#options.probeWaitMs, this.#leftMs(true)), 0);
    await this.#wait(waitMs, signal, first);
    return this.#take(stream);
  }

  /** A peer that is getting the content. */
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

  /** The time left for finding a peer, ms; less if some are known already. */
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
