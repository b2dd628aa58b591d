import type { Digest } from "../oci/digest.ts";
import type { Cancellable, Clock, Log, Metrics } from "../ports.ts";
import type { Part, Wanted } from "./answer.ts";
import { type Link, link } from "../async/link.ts";
import type { MirrorOptions } from "./options.ts";
import type { PeerTable } from "./peer_table.ts";
import { type Progress, ProgressWatch } from "./progress.ts";
import type { Search } from "./search.ts";
import type { Source } from "./source.ts";
import { BadContentError } from "./bad_content_error.ts";
import { createVerifier, type Verifier } from "./verify.ts";

type Chunk = Uint8Array<ArrayBuffer>;
type Trouble = Exclude<Progress, "fine"> | "died";

/** What a {@link Transfer} works with. */
export interface TransferCollaborators {
  readonly search: Search;
  readonly table: PeerTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/** What is transferred. */
export interface TransferInit {
  /** The answer that is read first. */
  readonly first: Source;
  /** Asks for the same content, by digest so that every peer sends the same; its range is set. */
  readonly wanted: Omit<Wanted, "range" | "size" | "digest">;
}

/** Pauses before looking for a holder again when a peer died and there was nobody else. */
const SECOND_LOOKS_MS = [0, 250];
/** A transfer that got so far since its last switch may switch as often as a new one. */
const GOOD_PROGRESS_BYTES = 16 * 1024 * 1024;
/** How long a peer has to end its body after the last byte, before the connection is given up. */
const FINISH_GRACE_MS = 100;

/**
 * One body out of those of several peers: goes on at another peer, from the byte that is due, when
 * one dies, stalls or slows down. Verified while it passes, if it is the whole content.
 */
export class Transfer {
  readonly #collaborators: TransferCollaborators;
  readonly #options: MirrorOptions & Cancellable;
  readonly #wanted: TransferInit["wanted"];
  readonly #digest: Digest;
  readonly #size: number;
  readonly #end: number;
  readonly #verifier: Verifier | undefined;
  readonly #contributors = new Set<string>();
  readonly #life: Link;
  readonly #watch: ProgressWatch;
  #source: Source;
  #reading: Promise<Chunk | undefined> | undefined;
  #offset: number;
  #alarm: (trouble: Trouble) => void = () => {};
  #unreported = { bytes: 0, waitedMs: 0 };
  #switches = 0;
  #switchedAt: number;
  #complete = false;
  #over = false;

  constructor(
    { first, wanted }: TransferInit,
    collaborators: TransferCollaborators,
    options: MirrorOptions & Cancellable,
  ) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#wanted = wanted;
    this.#source = first;
    const { digest, size } = first.descriptor;
    this.#digest = digest;
    this.#size = size;
    this.#offset = this.#switchedAt = first.part.start;
    this.#end = first.part.end;
    const whole = first.part.start === 0 && first.part.end === size;
    this.#verifier = whole && options.verify ? createVerifier(digest) : undefined;
    this.#watch = new ProgressWatch(options);
    this.#life = link(options.signal, collaborators.closing);
    this.#life.signal.addEventListener("abort", () => this.#close(), { once: true });
    if (this.#life.signal.aborted) this.#close();
    else void this.#tick();
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
   * The next bytes; undefined at the end.
   *
   * @throws if the content cannot be completed or is wrong, the signal's reason when it aborts.
   */
  async next(): Promise<Chunk | undefined> {
    try {
      while (this.#offset < this.#end) {
        this.#life.signal.throwIfAborted();
        const got = await this.#await();
        if (typeof got === "string") await this.#recover(got);
        else if (got.length > 0) return this.#accept(got);
      }
      if (!this.#over) this.#finish();
      return undefined;
    } catch (error) {
      this.cancel(error);
      throw error;
    }
  }

  /** All of it at once. @throws as `next` does. */
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
  cancel(reason: unknown = new DOMException("the body is not wanted any more", "AbortError")) {
    this.#life.abort(reason);
  }

  /** Waits for bytes, or for trouble. */
  async #await(): Promise<Chunk | Trouble> {
    const { clock } = this.#collaborators;
    const { promise, resolve } = Promise.withResolvers<Chunk | Trouble>();
    this.#reading ??= this.#source.read();
    this.#reading.then((chunk) => resolve(chunk ?? "died"), () => resolve("died"));
    this.#alarm = resolve;
    this.#watch.wait(clock.now());
    const got = await promise;
    this.#alarm = () => {};
    this.#life.signal.throwIfAborted();
    if (typeof got === "string") return got;
    this.#reading = undefined;
    if (got.length > 0) this.#count(got.length);
    return got;
  }

  #count(bytes: number): void {
    const { clock, metrics } = this.#collaborators;
    this.#unreported.waitedMs += this.#watch.arrived(clock.now(), bytes);
    this.#unreported.bytes += bytes;
    metrics.bytesFetched(bytes, this.#source.peer.id);
  }

  /** Tells the table how the peer does; not for each chunk, whose timing says little. */
  #report(): void {
    const { bytes, waitedMs } = this.#unreported;
    if (bytes > 0) this.#collaborators.table.progressed(this.#source.peer.id, bytes, waitedMs);
    this.#unreported = { bytes: 0, waitedMs: 0 };
  }

  /** The last bytes are passed on only if the whole is right. */
  #accept(chunk: Chunk): Chunk {
    this.#contributors.add(this.#source.peer.id);
    if (chunk.length > this.#end - this.#offset) this.#lie("more bytes than announced");
    this.#verifier?.update(chunk);
    this.#offset += chunk.length;
    if (this.#offset - this.#switchedAt >= GOOD_PROGRESS_BYTES) {
      this.#switches = 0;
      this.#switchedAt = this.#offset;
    }
    if (this.#offset === this.#end) this.#finish();
    return chunk;
  }

  #finish(): void {
    if (this.#verifier?.matches() === false) this.#lie("digest mismatch");
    this.#complete = true;
    this.#life.abort();
  }

  #lie(what: string): never {
    const { search } = this.#collaborators;
    if (this.#contributors.size === 0) this.#contributors.add(this.#source.peer.id);
    search.lied(this.#contributors, { digest: this.#digest, what });
    throw new BadContentError(
      `content of ${this.#digest} from ${[...this.#contributors].join(", ")} is wrong: ${what}`,
    );
  }

  /** Goes on elsewhere, or stays if there is time and nobody else. */
  async #recover(trouble: Trouble): Promise<void> {
    const { search, table } = this.#collaborators;
    const { peer } = this.#source;
    if (trouble === "dead") throw new Error(this.#story(`no byte in ${this.#options.giveUpMs} ms`));
    if (this.#switches >= this.#options.maxSwitches) {
      throw new Error(this.#story(`${this.#switches} switches without progress`));
    }
    if (trouble === "died") {
      table.broke(peer.id);
      this.#source.abort();
      return await this.#replace(SECOND_LOOKS_MS, trouble);
    }
    search.ban(peer.id);
    if (trouble === "stalled") table.stalled(peer.id, this.#options.responseTimeoutMs);
    else this.#watch.forgiveSlowness();
    await this.#replace([0], trouble);
  }

  async #replace(pausesMs: readonly number[], trouble: "died" | "stalled" | "slow") {
    const { search, clock } = this.#collaborators;
    let next = await this.#reopen();
    for (const pauseMs of next === undefined ? pausesMs : []) {
      if (pauseMs > 0) await clock.sleep(pauseMs, this.#life);
      search.refresh();
      next = await this.#reopen();
      if (next !== undefined) break;
    }
    // As long as nothing has come the client can go on elsewhere without a break.
    if (next === undefined && (trouble === "died" || this.#contributors.size === 0)) {
      throw new Error(this.#story(`${trouble}, and nobody else has the content`));
    }
    this.#watch.renew();
    if (next !== undefined) this.#switchTo(next, trouble);
  }

  #switchTo(next: Source, reason: "died" | "stalled" | "slow"): void {
    const { log, metrics } = this.#collaborators;
    log.info("transfer goes on at another peer", {
      digest: this.#digest,
      from: this.#source.peer.id,
      peer: next.peer.id,
      reason,
      offset: this.#offset,
    });
    metrics.peerSwitched(reason);
    this.#report();
    this.#source.abort();
    this.#source = next;
    this.#reading = undefined;
    this.#switches++;
    this.#switchedAt = this.#offset;
  }

  /** Asks others for the rest. */
  async #reopen(): Promise<Source | undefined> {
    const part: Part = { start: this.#offset, end: this.#end };
    const whole = part.start === 0 && part.end === this.#size;
    const source = await this.#collaborators.search.open({
      ...this.#wanted,
      digest: this.#digest,
      size: this.#size,
      ...(whole ? {} : { range: `bytes=${part.start}-${part.end - 1}` }),
    }, this.#life.signal);
    if (!this.#over) return source;
    source?.abort();
    return undefined;
  }

  /** Looks after the progress for as long as the transfer lasts. */
  async #tick(): Promise<void> {
    const { clock } = this.#collaborators;
    try {
      while (!this.#over) {
        await clock.sleep(this.#watch.tickMs, this.#life);
        this.#report();
        const progress = this.#watch.check(clock.now());
        if (progress !== "fine") this.#alarm(progress);
      }
    } catch {
      // The transfer is over: nothing is left to look after.
    }
  }

  /** Lets go of everything, once. */
  #close(): void {
    if (this.#over) return;
    this.#over = true;
    const { clock, search } = this.#collaborators;
    this.#report();
    this.#alarm("died");
    if (this.#complete) void this.#source.finish(clock, FINISH_GRACE_MS);
    else this.#source.abort();
    search.close();
  }

  #story(what: string): string {
    return `transfer of ${this.#digest} from peer ${this.#source.peer.id} failed at byte ` +
      `${this.#offset} of ${this.#size}: ${what}`;
  }
}
