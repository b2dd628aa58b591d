import type { RateLimiter } from "../../async/rate_limiter.ts";
import { type Link, link } from "../../async/link.ts";
import type { Digest } from "../../oci/digest.ts";
import { BadContentError } from "./bad_content_error.ts";
import { Contributors } from "../split/contributors.ts";
import type { Doubts } from "./doubts.ts";
import { Evidence } from "./evidence.ts";
import type { Hashes } from "../hashing/hashes.ts";
import { PartReader } from "../split/part_reader.ts";
import type {
  PartReaderCollaborators,
  PartReaderInit,
  PartReaderOptions,
} from "../split/part_reader_init.ts";
import type { PenaltyBox } from "../selection/penalty_box.ts";
import { placeOf, type Sender } from "../http/sender.ts";
import type { SplitPolicy } from "../split/split_policy.ts";
import { SplitReader } from "../split/split_reader.ts";
import type { Verifier } from "../hashing/verify.ts";
import type { ContentMemory } from "../memory/content_memory.ts";
import type { Tainted } from "./tainted.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** What a {@link Transfer} works with. */
export interface TransferCollaborators extends PartReaderCollaborators {
  readonly hashes: Hashes;
  readonly doubts: Pick<Doubts, "tell">;
  readonly downloads?: Pick<RateLimiter, "take"> | undefined;
  readonly splits: SplitPolicy;
  /** Told of content that was passed on and turned out to be wrong. */
  readonly tainted: Tainted;
  /** Told of the senders of such content. */
  readonly penalties: Pick<PenaltyBox, "suspect">;
}

/**
 * One body from one or several peers: it goes on at another peer when one fails, and is split over
 * several where that is faster. It is verified while it passes, if it is all of the content.
 */
export class Transfer {
  /** Whether it is all of the content, and not a part. */
  readonly isWhole: boolean;
  readonly #collaborators: TransferCollaborators;
  readonly #init: PartReaderInit;
  readonly #options: PartReaderOptions;
  readonly #digest: Digest;
  readonly #end: number;
  readonly #verifier: Verifier | undefined;
  readonly #contributors = new Contributors();
  /** The senders of the bytes that were passed on, in order. */
  readonly #passed: { sender: Sender; place: string; start: number; end: number }[] = [];
  readonly #life: Link;
  readonly #startedAt: number;
  #reader: PartReader | SplitReader;
  #offset: number;
  #waitedMs = 0;
  #complete = false;
  #over = false;

  constructor(
    init: PartReaderInit,
    collaborators: TransferCollaborators,
    options: PartReaderOptions,
  ) {
    this.#collaborators = collaborators;
    this.#init = init;
    const { descriptor, part } = init.first;
    this.#digest = descriptor.digest;
    this.#offset = part.start;
    this.#end = part.end;
    this.isWhole = part.start === 0 && part.end === descriptor.size;
    this.#startedAt = collaborators.clock.now();
    this.#life = link(options.signal, collaborators.closing);
    this.#verifier = this.isWhole && options.verify
      ? collaborators.hashes.verifier(descriptor.digest, descriptor.size, this.#life)
      : undefined;
    this.#options = { ...options, signal: this.#life.signal };
    this.#reader = new PartReader(init, this.#contributors, collaborators, this.#options);
    this.#life.signal.addEventListener("abort", () => this.#close(), { once: true });
    if (this.#life.signal.aborted) this.#close();
  }

  /** The body as a stream, beginning with a chunk that was read already. It does not read ahead. */
  stream(first?: Chunk): ReadableStream<Chunk> {
    return new ReadableStream<Chunk>({
      start: (controller) => {
        const { signal } = this.#life;
        // Once complete, the stream is closed when its last bytes are taken.
        const fail = () => this.#complete || controller.error(signal.reason);
        if (signal.aborted) fail();
        else signal.addEventListener("abort", fail, { once: true });
      },
      pull: async (controller) => {
        const chunk = first ?? await this.next();
        first = undefined;
        if (chunk !== undefined) controller.enqueue(chunk);
        if (this.#complete) controller.close();
      },
      cancel: () => this.cancel(),
    }, { highWaterMark: 0 });
  }

  /** Whether any of its senders says that it is private. */
  get isPrivate(): boolean {
    return this.#init.first.isPrivate ||
      this.#contributors.senders.some(({ isPrivate }) => isPrivate);
  }

  /**
   * The next bytes; undefined at the end. The last bytes are passed on only if the content matches
   * its digest.
   *
   * @throws if the content cannot be completed or is wrong, the signal's reason when it aborts.
   */
  async next(): Promise<Chunk | undefined> {
    if (this.#complete) return undefined;
    try {
      const chunk = await this.#advance();
      if (this.#offset >= this.#end) await this.#finish();
      if (this.#complete && this.#verifier !== undefined) {
        this.#collaborators.tainted.clear(this.#digest);
      }
      return chunk;
    } catch (error) {
      if (!this.#life.signal.aborted) this.#taint(error);
      this.cancel(error);
      throw error;
    }
  }

  /**
   * Gets all of it before any of it is passed on.
   *
   * @param memory stores the content.
   * @throws as `next` does.
   */
  async whole(memory: ContentMemory): Promise<void> {
    try {
      while (this.#offset < this.#end) {
        const chunk = await this.#advance();
        if (chunk !== undefined) memory.append(chunk);
      }
      await this.#finish();
    } catch (error) {
      this.cancel(error);
      throw error;
    }
  }

  /** Ends the transfer; the peer sees its connection closed. */
  cancel(reason?: unknown): void {
    this.#life.abort(reason);
  }

  async #advance(): Promise<Chunk | undefined> {
    this.#life.signal.throwIfAborted();
    const chunk = this.#offset < this.#end ? await this.#read() : undefined;
    if (chunk !== undefined && this.#verifier !== undefined) {
      await this.#attribute(chunk.length, this.#verifier);
      await this.#verifier.update(chunk);
    }
    this.#offset += chunk?.length ?? 0;
    if (chunk === undefined && this.#offset < this.#end) {
      throw new Error("the content ended early");
    }
    return chunk;
  }

  /** Records the sender of the next bytes. */
  async #attribute(bytes: number, verifier: Verifier): Promise<void> {
    const [start, end] = [this.#offset, this.#offset + bytes];
    const sender = this.#contributors.at(start) ?? this.#init.first;
    const last = this.#passed.at(-1);
    if (last !== undefined && last.place === placeOf(sender)) {
      last.end = end;
    } else {
      if (last !== undefined) await verifier.mark();
      this.#passed.push({ sender, place: placeOf(sender), start, end });
    }
  }

  async #read(): Promise<Chunk | undefined> {
    const { clock, downloads } = this.#collaborators;
    this.#split();
    const began = clock.now();
    const chunk = await this.#reader.next();
    this.#waitedMs += clock.now() - began;
    if (chunk !== undefined && downloads !== undefined) {
      await downloads.take(this.#reader.peer.id, chunk.length, this.#life.signal);
    }
    return chunk;
  }

  /** Splits the body over several peers, if that promises to be faster. */
  #split(): void {
    const { clock, search, splits } = this.#collaborators;
    if (!(this.#reader instanceof PartReader) || this.#init.first.arriving) return;
    // No other peer has it: a peer that leaves completes its current answer, but accepts no other
    // request.
    if (search.holders < 2) return;
    const progress = {
      digest: this.#digest,
      bytes: this.#offset - this.#init.first.part.start,
      leftBytes: this.#end - this.#offset,
      elapsedMs: clock.now() - this.#startedAt,
      waitedMs: this.#waitedMs,
    };
    const permit = splits.permit(progress);
    if (permit === undefined) return;
    const { wanted, first: { descriptor } } = this.#init;
    this.#reader = new SplitReader(
      { first: this.#reader, wanted, descriptor, permit },
      this.#contributors,
      this.#collaborators,
      this.#options,
    );
  }

  async #finish(): Promise<void> {
    if (await this.#verifier?.matches() === false) this.#blame();
    this.#life.signal.throwIfAborted();
    this.#complete = true;
    this.#life.abort();
  }

  /**
   * The only sender of wrong content is to blame for it. Of several none is blamed until it is
   * known which.
   */
  #blame(): never {
    const { search, splits, log, doubts } = this.#collaborators;
    const digest = this.#digest;
    const senders = this.#contributors.isEmpty ? [this.#init.first] : this.#contributors.senders;
    const peers = senders.map(({ peer }) => peer.id);
    const [sender, ...others] = senders;
    const isUnsolved = others.length > 0;
    if (sender === undefined || isUnsolved) {
      search.noteLie();
      splits.distrust(digest);
      log.warn("one of several peers sent wrong content", { digest, peers });
    } else if (sender.arriving) {
      search.banRelay(sender, { digest });
    } else {
      search.shun(sender, { digest, what: "digest mismatch" });
      doubts.tell({ ...sender.peer, addresses: [sender.address] }, this.#init.wanted.path);
    }
    throw new BadContentError(
      `content of ${digest} from ${peers.join(", ")} is wrong: digest mismatch`,
      isUnsolved ? new Evidence(digest, this.#passed, this.#verifier?.marks ?? []) : undefined,
    );
  }

  /**
   * Notes that the client may have got wrong bytes, also of a body of an unproven peer that broke
   * off.
   */
  #taint(error: unknown): void {
    const { tainted, penalties } = this.#collaborators;
    const isPassedOn = this.#offset > this.#init.first.part.start;
    if (!isPassedOn || !this.#options.verify) return;
    const strangers = this.#contributors.senders.filter(({ isProven }) => !isProven);
    const isWrong = error instanceof BadContentError;
    if (!isWrong && strangers.length === 0) return;
    tainted.add(this.#digest, isWrong ? error.evidence : undefined);
    for (const stranger of strangers) {
      penalties.suspect(stranger, this.#contributors.hasLeft(stranger) ? 2 : 1);
    }
  }

  /** Releases everything, once. */
  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#reader.close();
    this.#verifier?.drop();
    this.#collaborators.search.close();
  }
}
