import type { RateLimiter } from "../async/rate_limiter.ts";
import { type Link, link } from "../async/link.ts";
import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "../ports.ts";
import { BadContentError } from "./bad_content_error.ts";
import type { Doubts } from "./doubts.ts";
import type { Hashes } from "./hashing/hashes.ts";
import type { MirrorOptions } from "./options.ts";
import { PartReader, type PartReaderCollaborators, type PartReaderInit } from "./part_reader.ts";
import type { SplitPolicy } from "./split/split_policy.ts";
import { SplitReader } from "./split/split_reader.ts";
import type { Verifier } from "./verify.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** What a {@link Transfer} works with. */
export interface TransferCollaborators extends PartReaderCollaborators {
  readonly hashes: Hashes;
  readonly doubts: Pick<Doubts, "tell">;
  readonly downloads?: Pick<RateLimiter, "take"> | undefined;
  readonly splits: SplitPolicy;
}

/**
 * One body out of those of several peers: one after the other where one fails, and several at once
 * where that is faster. Verified while it passes, if it is the whole content.
 */
export class Transfer {
  readonly #collaborators: TransferCollaborators;
  readonly #init: PartReaderInit;
  readonly #options: MirrorOptions & Cancellable;
  readonly #digest: Digest;
  readonly #end: number;
  readonly #verifier: Verifier | undefined;
  readonly #contributors = new Set<string>();
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
    options: MirrorOptions & Cancellable,
  ) {
    this.#collaborators = collaborators;
    this.#init = init;
    const { descriptor, part } = init.first;
    this.#digest = descriptor.digest;
    this.#offset = part.start;
    this.#end = part.end;
    const whole = part.start === 0 && part.end === descriptor.size;
    this.#startedAt = collaborators.clock.now();
    this.#life = link(options.signal, collaborators.closing);
    this.#verifier = whole && options.verify
      ? collaborators.hashes.verifier(descriptor.digest, descriptor.size, this.#life)
      : undefined;
    this.#options = { ...options, signal: this.#life.signal };
    this.#reader = new PartReader(init, this.#contributors, collaborators, this.#options);
    this.#life.signal.addEventListener("abort", () => this.#close(), { once: true });
    if (this.#life.signal.aborted) this.#close();
  }

  /** The body, after bytes that were taken already, as a stream that reads only what is asked of it. */
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

  /**
   * The next bytes; undefined at the end. The last bytes are passed on only if the whole is right.
   *
   * @throws if the content cannot be completed or is wrong, the signal's reason when it aborts.
   */
  async next(): Promise<Chunk | undefined> {
    if (this.#complete) return undefined;
    try {
      this.#life.signal.throwIfAborted();
      const chunk = this.#offset < this.#end ? await this.#read() : undefined;
      if (chunk !== undefined) await this.#verifier?.update(chunk);
      this.#offset += chunk?.length ?? 0;
      if (this.#offset >= this.#end) await this.#finish();
      else if (chunk === undefined) throw new Error("the content ended early");
      return chunk;
    } catch (error) {
      this.cancel(error);
      throw error;
    }
  }

  /**
   * All of it at once.
   *
   * @throws as `next` does.
   */
  async collect(): Promise<Chunk> {
    const content = new Uint8Array(this.#end - this.#offset);
    let length = 0;
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) {
      content.set(chunk, length);
      length += chunk.length;
    }
    return content;
  }

  /** Ends the transfer; the peer sees its connection closed. */
  cancel(reason?: unknown): void {
    this.#life.abort(reason);
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

  /** Goes on with several peers at once, if that promises to be faster. */
  #split(): void {
    const { clock, search, splits } = this.#collaborators;
    if (!(this.#reader instanceof PartReader) || this.#init.first.arriving) return;
    // Nobody else has it: a peer that leaves ends the transfer that it has begun, and begins no other.
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
    if (await this.#verifier?.matches() === false) this.#lie("digest mismatch");
    this.#life.signal.throwIfAborted();
    this.#complete = true;
    this.#life.abort();
  }

  #lie(what: string): never {
    const { search, splits, log, doubts } = this.#collaborators;
    if (this.#contributors.size === 0) this.#contributors.add(this.#init.first.peer.id);
    const { peer } = this.#reader;
    // Of several it is not known which one.
    if (this.#contributors.size === 1 && this.#contributors.has(peer.id)) {
      doubts.tell(peer, this.#init.wanted.path);
    }
    const digest = this.#digest;
    if (this.#reader instanceof SplitReader && this.#contributors.size > 1) {
      splits.distrust(digest);
      log.warn("one of several peers sent wrong content", { digest, peers: this.#contributors });
    } else search.lied(this.#contributors, { digest, what });
    throw new BadContentError(
      `content of ${this.#digest} from ${[...this.#contributors].join(", ")} is wrong: ${what}`,
    );
  }

  /** Lets go of everything, once. */
  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#reader.close();
    this.#verifier?.drop();
    this.#collaborators.search.close();
  }
}
