import { type Link, link } from "../../async/link.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Peer } from "../../ports/router.ts";
import type { Wanted } from "../http/answer.ts";
import type { Contributors } from "./contributors.ts";
import type { MirrorOptions } from "../options.ts";
import { PartReader } from "./part_reader.ts";
import type { PartReaderCollaborators, PartReaderInit } from "./part_reader_init.ts";
import type { Source } from "../selection/source.ts";
import { type Piece, Pieces } from "./pieces.ts";
import type { SplitPermit } from "./split_policy.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** The content that a {@link SplitReader} reads. */
export interface SplitReaderInit {
  /** The reader of the one peer so far, which gets the first piece. */
  readonly first: PartReader;
  readonly wanted: PartReaderInit["wanted"];
  readonly descriptor: Descriptor;
  readonly permit: SplitPermit;
}

/** When the speed of several peers is compared with that of the one, ms. */
const JUDGE_AFTER_MS = 1500;

/**
 * A peer is asked for its next piece when this much of the one before is left, so that it is never
 * idle.
 */
const AHEAD_BYTES = 1024 * 1024;

/**
 * Reads a body from several peers at once: each gets the next piece when it is nearly done with
 * one, so that faster peers get more of them. Pieces are passed on in order. At most three pieces a
 * peer are under way, and a piece that holds up the others is halved.
 */
export class SplitReader {
  readonly #init: SplitReaderInit;
  readonly #contributors: Contributors;
  readonly #collaborators: PartReaderCollaborators;
  readonly #options: MirrorOptions & Cancellable;
  readonly #pieces: Pieces;
  readonly #life: Link;
  readonly #startedAt: number;
  #changed = Promise.withResolvers<void>();
  #peer: Peer;
  #lanes = 0;
  #wantedLanes: number;
  #hungry = false;
  /**
   * Whether unproven peers send no parts of content of a proven one, and suspects send none at all.
   */
  readonly #choosy: boolean;
  #passed = 0;
  #judged = false;
  #failure: unknown;

  constructor(
    init: SplitReaderInit,
    contributors: Contributors,
    collaborators: PartReaderCollaborators,
    options: MirrorOptions & Cancellable,
  ) {
    const { first } = init;
    this.#init = init;
    this.#contributors = contributors;
    this.#collaborators = collaborators;
    this.#life = link(options.signal);
    this.#options = { ...options, signal: this.#life.signal };
    this.#wantedLanes = options.splitPeers;
    this.#peer = first.peer;
    this.#choosy = first.isProven || init.wanted.knownFrom === undefined;
    this.#startedAt = collaborators.clock.now();
    this.#pieces = new Pieces(first.offset, first.end, options.splitPieceBytes);
    const piece = this.#pieces.take(1);
    if (piece !== undefined) {
      first.shorten(piece.end);
      piece.reader = first;
      this.#begin(first.peer, piece);
    }
    this.#guard(this.#findOthers());
  }

  /** The sender of the bytes that are passed on now. */
  get peer(): Peer {
    return this.#peer;
  }

  /** As {@link PartReader.next}. */
  async next(): Promise<Chunk | undefined> {
    try {
      while (!this.#pieces.finished) {
        this.#life.signal.throwIfAborted();
        if (this.#failure !== undefined) throw this.#failure;
        const head = this.#pieces.head;
        const chunk = head?.chunks.shift();
        if (chunk !== undefined) return this.#pass(head, chunk);
        if (head?.done) {
          this.#pieces.shift();
          this.#notify();
        } else {
          await this.#starve();
        }
      }
      this.close();
      return undefined;
    } catch (error) {
      this.close(error);
      throw error;
    }
  }

  /** As {@link PartReader.close}. */
  close(reason?: unknown): void {
    this.#life.abort(reason);
    this.#init.first.close(reason);
    this.#init.permit.release();
    this.#notify();
  }

  #pass(head: Piece | undefined, chunk: Chunk): Chunk {
    this.#peer = head?.reader?.peer ?? this.#peer;
    this.#passed += chunk.length;
    const elapsedMs = this.#collaborators.clock.now() - this.#startedAt;
    if (!this.#judged && elapsedMs >= JUDGE_AFTER_MS) {
      this.#judged = true;
      const speed = this.#passed * 1000 / elapsedMs;
      if (this.#lanes > 1 && !this.#init.permit.worthwhile(speed)) this.#wantedLanes = 1;
    }
    return chunk;
  }

  /** Waits for bytes of the first piece. */
  async #starve(): Promise<void> {
    if (this.#lanes === 0) this.#guard(this.#rescue());
    this.#hungry = true;
    this.#notify();
    await this.#changed.promise;
    this.#hungry = false;
  }

  /** Finds peers for more lanes, as many as the policy permits. */
  async #findOthers(): Promise<void> {
    for (let count = 1; count < this.#options.splitPeers; count++) {
      const piece = this.#pieces.take(this.#room);
      if (piece === undefined) return;
      const ask = { ...this.#ask(piece), choosy: this.#choosy };
      const source = await this.#collaborators.search.open(ask, this.#life.signal);
      if (source === undefined) return this.#abandon(piece);
      this.#collaborators.log.debug("a further peer sends parts of a blob", {
        digest: this.#init.descriptor.digest,
        peer: source.peer.id,
      });
      this.#read(piece, source);
      this.#begin(source.peer, piece);
    }
  }

  /** All lanes have ended: looks for holders again. */
  async #rescue(): Promise<void> {
    const piece = this.#pieces.take(Infinity);
    if (piece === undefined) return;
    this.#lanes++;
    const { search } = this.#collaborators;
    search.refresh();
    const source = await search.open(this.#ask(piece), this.#life.signal);
    this.#lanes--;
    if (source === undefined) {
      const { digest } = this.#init.descriptor;
      throw new Error(`no peer has bytes ${piece.start} to ${piece.end - 1} of ${digest} any more`);
    }
    this.#read(piece, source);
    this.#begin(source.peer, piece);
  }

  /** A peer gets one piece after the other, this one first. */
  #begin(peer: Peer, piece: Piece): void {
    this.#lanes++;
    this.#guard(
      this.#lane(peer, piece).finally(() => {
        this.#lanes--;
        this.#notify();
      }),
    );
  }

  async #lane(peer: Peer, first: Piece): Promise<void> {
    let piece: Piece | undefined = first;
    while (piece !== undefined) {
      if (piece.reader === undefined && !await this.#open(peer, piece)) {
        return this.#lost(peer, piece);
      }
      const ahead: Piece | undefined = await this.#drain(piece, () => this.#ahead(peer));
      // Its reader went on at another peer, which has a lane of its own or may get one later.
      if (piece.reader?.peer.id !== peer.id) return ahead && this.#abandon(ahead);
      piece = ahead ?? await this.#nextPiece();
    }
  }

  /** False if the peer does not send it. */
  async #open(peer: Peer, piece: Piece): Promise<boolean> {
    const { search } = this.#collaborators;
    const source = await search.openAt(peer, this.#ask(piece), this.#life.signal);
    if (source !== undefined) this.#read(piece, source);
    return source !== undefined;
  }

  /** Asks a peer for its next piece, if there is one. */
  async #ahead(peer: Peer): Promise<Piece | undefined> {
    if (this.#lanes > this.#wantedLanes) return undefined;
    const piece = this.#pieces.take(this.#room);
    if (piece !== undefined) await this.#open(peer, piece);
    return piece;
  }

  /** Reads a piece to its end. Returns what came of `nearEnd`, called once little is left. */
  async #drain(
    piece: Piece,
    nearEnd: () => Promise<Piece | undefined>,
  ): Promise<Piece | undefined> {
    let next: Promise<Piece | undefined> | undefined;
    while (true) {
      if (next === undefined && piece.end - (piece.reader?.offset ?? 0) <= AHEAD_BYTES) {
        next = nearEnd();
        next.catch(() => {});
      }
      const chunk = await piece.reader?.next();
      if (chunk === undefined) break;
      if (chunk.length > 0) piece.chunks.push(chunk);
      this.#notify();
    }
    piece.done = true;
    this.#notify();
    return await next;
  }

  /** Undefined when this lane has ended. */
  async #nextPiece(): Promise<Piece | undefined> {
    while (!this.#life.signal.aborted && this.#lanes <= Math.max(this.#wantedLanes, 1)) {
      const piece = this.#pieces.take(this.#room) ??
        (this.#hungry ? this.#pieces.takeHalf() : undefined);
      if (piece !== undefined) return piece;
      if (this.#pieces.finished) return undefined;
      await this.#changed.promise;
    }
    return undefined;
  }

  get #room(): number {
    return 3 * Math.max(this.#lanes, 1) + 1;
  }

  #read(piece: Piece, first: Source): void {
    piece.reader = new PartReader(
      { first, wanted: this.#init.wanted },
      this.#contributors,
      this.#collaborators,
      this.#options,
    );
  }

  #ask({ start, end }: Piece): Wanted {
    const { wanted, descriptor: { digest, size } } = this.#init;
    return { ...wanted, digest, size, range: `bytes=${start}-${end - 1}` };
  }

  /** A peer sends no more pieces: the others get the rest. */
  #lost(peer: Peer, piece: Piece): void {
    const { log, metrics } = this.#collaborators;
    const { digest } = this.#init.descriptor;
    if (!this.#life.signal.aborted) {
      log.info("transfer goes on without a peer", { digest, peer: peer.id, offset: piece.start });
      metrics.peerSwitched("died");
    }
    this.#abandon(piece);
  }

  #abandon(piece: Piece): void {
    piece.reader?.close();
    piece.reader = undefined;
    this.#pieces.putBack(piece);
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** An error in the background fails the body. */
  #guard(work: Promise<void>): void {
    work.catch((error) => {
      this.#failure ??= error;
      this.#notify();
    });
  }
}
