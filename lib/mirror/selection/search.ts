import type { Runtime } from "../../ports/runtime.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { MirrorMiss, MissReason } from "../../ports/mirror.ts";
import type { Peer, Router } from "../../ports/router.ts";
import type { Wanted } from "../http/answer.ts";
import type { Candidate } from "./candidate.ts";
import type { Candidates } from "./candidates.ts";
import { link } from "../../async/link.ts";
import { isArriving, judgeReply } from "./judge_reply.ts";
import type { MirrorOptions } from "../options.ts";
import type { PeerClient, Reached } from "../http/peer_client.ts";
import type { PeerHealth } from "./peer_health.ts";
import type { PenaltyBox } from "./penalty_box.ts";
import type { Prober } from "./prober.ts";
import { race, RaceOver } from "../http/race.ts";
import type { Sender } from "../http/sender.ts";
import { SearchFindings } from "./search_findings.ts";
import { Source } from "./source.ts";

/**
 * How long a parent may take to answer, ms: it has just begun to get the content and is busy, and
 * going upstream as well would be no faster.
 */
const NAMED_RESPONSE_MS = 1000;
/** What an election and its parents may add to the time until there is an answer, ms. */
const ELECTION_MS = 1850;

/** What a {@link Search} works with. */
export interface SearchCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly candidates: Candidates;
  readonly router: Pick<Router, "reportFailure">;
  /** Believed holders of a tag; undefined: every holder is believed, or it is no tag. */
  readonly holders?: { readonly strangers: number } | undefined;
  readonly client: PeerClient;
  readonly health: PeerHealth;
  readonly penalties: PenaltyBox;
  readonly prober: Prober;
  readonly metrics: Pick<Metrics, "followBegan" | "followFailed">;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/** The search of one request for peers: it finds and asks them, and remembers their answers. */
export class Search {
  readonly #collaborators: SearchCollaborators;
  readonly #options: MirrorOptions;
  readonly #findings = new SearchFindings();
  /** Whether the result of following a parent has been counted. */
  #followed = false;

  constructor(collaborators: SearchCollaborators, options: MirrorOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** How many peers are known to hold it and can be asked now. */
  get holders(): number {
    return this.#collaborators.candidates.able;
  }

  /** Whether this node is elected to get it from upstream. */
  get elected(): boolean {
    return this.#collaborators.candidates.parents?.elected === true;
  }

  /** The content's size, if all peers that answered that the range is outside of it agree on it. */
  get unsatisfiableSize(): number | undefined {
    return this.#findings.unsatisfiableSize;
  }

  /**
   * Gets the answer of the first peer that has the content; undefined if none answers in time.
   * Large content comes from unproven peers only if no proven peer has it.
   *
   * @throws the signal's reason when it aborts.
   */
  async open(wanted: Wanted, signal: AbortSignal): Promise<Source | undefined> {
    const { knownFrom: _known, largeFrom: _large, ...fromAnyone } = wanted;
    const lessSuspect = { ...wanted, knownFrom: Infinity, suspicion: 1 } as const;
    // Which peer is right about the size is known only once all of the content has arrived.
    this.#putBack(this.#findings.resized);
    let source = await this.#race(wanted, signal);
    for (const asked of wanted.choosy ? [] : [lessSuspect, fromAnyone]) {
      if (source !== undefined || this.#findings.strangers.size === 0) break;
      this.#putBack(this.#findings.strangers);
      source = await this.#race(asked, signal);
    }
    return source;
  }

  #putBack(ids: Set<string>): void {
    for (const id of ids) this.#collaborators.candidates.putBack(id);
    ids.clear();
  }

  async #race(wanted: Wanted, signal: AbortSignal): Promise<Source | undefined> {
    const { candidates, clock, health, closing } = this.#collaborators;
    const { resolveRetries } = this.#options;
    const strangers = this.#findings.strangers;
    using either = link(signal, closing);
    const stream = wanted.yielding ? `${wanted.digest} ${wanted.range ?? ""}` : undefined;
    const result = await race<Candidate, Source>(
      {
        next: (turn, hedging) => candidates.next(turn, { stream, hedging }),
        ask: (candidate, turn) => this.#ask(candidate, wanted, turn),
        hedgeMs: ({ peer, depth }) => depth === undefined ? health.hedgeMs(peer.id) : Infinity,
        discard: (source) => {
          source.close();
          candidates.putBack(source.peer.id);
        },
        dismiss: ({ release }) => release(),
      },
      clock,
      {
        signal: either.signal,
        budgetMs: this.#options.headerBudgetMs + (candidates.parents ? ELECTION_MS : 0),
        // Unproven peers that were put aside do not count: proven ones are looked for among all.
        get maxLosses() {
          return resolveRetries + strangers.size;
        },
        maxConcurrent: this.#options.maxConcurrentAsks,
      },
    );
    if (!result.won && stream !== undefined && candidates.isBusy(stream)) {
      this.#findings.isBusy = true;
    }
    if (!result.won && candidates.parents?.named && !this.#followed) {
      this.#followed = true;
      this.#collaborators.metrics.followFailed("refused");
    }
    return result.won ? result.prize : undefined;
  }

  /**
   * Asks a given peer; undefined if it does not have the content, or does not answer in time.
   *
   * @throws the signal's reason when it aborts.
   */
  async openAt(peer: Peer, wanted: Wanted, signal: AbortSignal): Promise<Source | undefined> {
    const { health, closing } = this.#collaborators;
    using either = link(signal, closing);
    const candidate = { peer, release: health.begin(peer.id) };
    const source = await this.#ask(candidate, wanted, either.signal);
    if (either.signal.aborted) source?.close();
    either.signal.throwIfAborted();
    return source;
  }

  /**
   * Asks the best peer that has not been asked; undefined if there is none, or it does not have the
   * content, or does not answer before the signal aborts.
   *
   * @throws the signal's reason when it aborts before a peer is found.
   */
  async openNext(wanted: Wanted, signal: AbortSignal): Promise<Source | undefined> {
    const candidate = await this.#collaborators.candidates.next(signal);
    return candidate && await this.#ask(candidate, wanted, signal);
  }

  /** Shuns the only sender of wrong content, at its address. */
  shun(sender: Sender, fields: Readonly<Record<string, unknown>>): void {
    const { health, penalties, candidates, log } = this.#collaborators;
    this.#findings.lies++;
    const { peer, address } = sender;
    const shunMs = penalties.shun(sender);
    // The index may have listed another host's address for the peer before its own.
    if (health.standing(peer) !== "shunned") candidates.putBack(peer.id);
    const about = { peer: peer.id, address, reason: "bad-content", shunMs };
    log.warn("peer sent wrong content and is shunned", { ...about, ...fields });
  }

  /** A peer relayed wrong content that it was still getting: that may be another's fault. */
  banRelay(sender: Sender, fields: Readonly<Record<string, unknown>>): void {
    const { penalties, candidates, log } = this.#collaborators;
    this.#findings.lies++;
    const { peer, address } = sender;
    candidates.ban(peer.id);
    const pauseMs = penalties.banRelay(sender);
    const about = { peer: peer.id, address, reason: "bad-content", pauseMs };
    log.warn("peer passed on wrong content that it was still getting", { ...about, ...fields });
  }

  /** One of several peers sent wrong content, and it is not known which. */
  noteLie(): void {
    this.#findings.lies++;
  }

  /** A peer's content cannot be used, though it is not wrong. */
  refuse(): void {
    this.#findings.refused++;
  }

  /** A body broke off or stalled. */
  failed(sender: Sender): void {
    this.#collaborators.candidates.inVain(sender);
  }

  /** Does not ask this peer again in this search. */
  ban(id: string): void {
    this.#collaborators.candidates.ban(id);
  }

  /** Looks for holders again. */
  refresh(options?: { readonly slow: boolean }): void {
    this.#collaborators.candidates.refresh(options);
  }

  /** No more peers are needed. */
  close(): void {
    this.#collaborators.candidates.close();
  }

  /** The miss, with the reason that follows from the answers of peers, or a given one. */
  miss(reason: MissReason = this.#reason()): MirrorMiss {
    const turn = this.#collaborators.candidates.parents?.outcome;
    const miss = { found: false, reason, attempts: this.#findings.attempts } as const;
    return turn === undefined ? miss : { ...miss, turn };
  }

  #reason(): MissReason {
    const { candidates, holders } = this.#collaborators;
    return this.#findings.reason(candidates, holders?.strangers ?? 0);
  }

  async #ask(
    { peer, release, depth }: Candidate,
    wanted: Wanted,
    signal: AbortSignal,
  ): Promise<Source | undefined> {
    const { candidates, client, health, penalties, log, clock } = this.#collaborators;
    this.#findings.attempts++;
    const reached = await client.reach(penalties.usable(peer), wanted, signal, {
      preferred: health.address(peer.id),
      budgetMs: depth === undefined ? wanted.answerMs : NAMED_RESPONSE_MS,
    });
    if (reached.type !== "answered") {
      release();
      this.#unreached(peer, reached, signal);
      log.debug("peer did not answer", { peer: peer.id, path: wanted.path, ...reached });
      return undefined;
    }
    const { reply } = reached;
    health.answered(peer.id, reached.ms);
    health.reachedAt(peer, reply.address);
    const options = { penalties, follows: candidates.parents !== undefined };
    const verdict = judgeReply({ peer, reply, wanted }, options);
    if (verdict.type === "offer") {
      const arriving = isArriving(reply);
      if (depth !== undefined) {
        this.#followed = true;
        this.#collaborators.metrics.followBegan();
      }
      return new Source({
        peer,
        reply,
        release,
        clock,
        arriving,
        depth,
        descriptor: verdict.descriptor,
        part: verdict.part,
      });
    }
    release();
    reply.dismiss();
    if (verdict.type === "busy") health.busy(peer.id);
    if (verdict.type === "busy" || verdict.type === "refused") {
      candidates.inVain({ peer, address: reply.address });
    }
    if (verdict.type === "busy" && wanted.yielding) candidates.putBack(peer.id);
    else this.#findings.add(peer.id, verdict);
    log.debug("peer refused", { peer: peer.id, path: wanted.path, ...verdict });
    return undefined;
  }

  #unreached(
    peer: Peer,
    { type, ms }: Pick<Reached, "type" | "ms">,
    { reason }: AbortSignal,
  ): void {
    const { candidates, health, prober, router } = this.#collaborators;
    if (type !== "aborted") {
      health.failed(peer.id, ms);
      router.reportFailure(peer.id);
    } else if (reason instanceof RaceOver) {
      health.outrun(peer.id, ms);
      prober.suspect(peer);
      // It may have been only a little slower: it may send a part, or go on where the winner fails.
      candidates.putBack(peer.id);
    }
  }
}
