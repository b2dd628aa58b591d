import { type Link, link } from "../../async/link.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Peer } from "../../ports/router.ts";
import type { Part } from "../http/answer.ts";
import type { Contributors } from "./contributors.ts";
import type {
  PartReaderCollaborators,
  PartReaderInit,
  PartReaderOptions,
} from "./part_reader_init.ts";
import { patienceMs, watchOptions } from "./patience.ts";
import { type Progress, ProgressWatch } from "./progress.ts";
import type { Source } from "../selection/source.ts";

type Chunk = Uint8Array<ArrayBuffer>;
type Trouble = Exclude<Progress, "fine"> | "died";

/** Pauses before holders are looked up again after a peer died and no other was left, ms. */
const SECOND_LOOKS_MS = [0, 250];
/** After so many bytes without a switch a transfer may switch as often as a new one. */
const GOOD_PROGRESS_BYTES = 16 * 1024 * 1024;

/**
 * Reads content, or a part of it. When a peer dies, stalls or slows down, it goes on at another
 * peer from the next byte.
 */
export class PartReader {
  readonly #collaborators: PartReaderCollaborators;
  readonly #options: PartReaderOptions;
  readonly #wanted: PartReaderInit["wanted"];
  readonly #digest: Digest;
  readonly #size: number;
  #end: number;
  readonly #contributors: Contributors;
  readonly #life: Link;
  readonly #watch: ProgressWatch;
  #source: Source;
  #reading: Promise<Chunk | undefined> | undefined;
  #offset: number;
  #alarm: (trouble: Trouble) => void = () => {};
  #unreported = { bytes: 0, waitedMs: 0 };
  #switches = 0;
  #switchedAt: number;
  #over = false;

  /** @param contributors records the senders of bytes. */
  constructor(
    { first, wanted }: PartReaderInit,
    contributors: Contributors,
    collaborators: PartReaderCollaborators,
    options: PartReaderOptions,
  ) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#wanted = wanted;
    this.#contributors = contributors;
    this.#source = first;
    const { digest, size } = first.descriptor;
    this.#digest = digest;
    this.#size = size;
    this.#offset = this.#switchedAt = first.part.start;
    this.#end = first.part.end;
    this.#watch = new ProgressWatch(watchOptions(first, options));
    this.#life = link(options.signal, collaborators.closing);
    this.#life.signal.addEventListener("abort", () => this.#close(), { once: true });
    if (this.#life.signal.aborted) this.#close();
    else void this.#tick();
  }

  /** The current peer. */
  get peer(): Peer {
    return this.#source.peer;
  }

  /** Whether that peer has proved that it belongs to the cluster. */
  get isProven(): boolean {
    return this.#source.isProven;
  }

  /** The next byte to be read. */
  get offset(): number {
    return this.#offset;
  }

  /** Where the part ends. */
  get end(): number {
    return this.#end;
  }

  /** Shortens the part; not below the bytes that were read already. */
  shorten(end: number): void {
    this.#end = Math.max(Math.min(end, this.#end), this.#offset);
  }

  /**
   * The next bytes; undefined at the end.
   *
   * @throws if the content cannot be completed, the signal's reason when it aborts.
   */
  async next(): Promise<Chunk | undefined> {
    try {
      while (this.#offset < this.#end) {
        this.#life.signal.throwIfAborted();
        const got = await this.#await();
        if (typeof got === "string") await this.#recover(got);
        else if (got.length > 0) return this.#accept(got);
      }
      this.close();
      return undefined;
    } catch (error) {
      this.close(error);
      throw error;
    }
  }

  /** Ends the reading. The connection of an unfinished body is closed. */
  close(reason?: unknown): void {
    this.#life.abort(reason);
  }

  /** Waits for bytes, or for a verdict on the progress. */
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
    const { clock, metrics, deliveries } = this.#collaborators;
    deliveries.note(this.#source.peer.id, clock.now());
    this.#unreported.waitedMs += this.#watch.arrived(clock.now(), bytes);
    this.#unreported.bytes += bytes;
    metrics.bytesFetched(bytes, this.#source.peer.id);
    if (this.#source.arriving) metrics.upstreamSpared(bytes);
  }

  /** Notes the peer's speed; not for each chunk, whose timing says little. */
  #report(): void {
    const { bytes, waitedMs } = this.#unreported;
    if (bytes > 0) this.#collaborators.health.progressed(this.#source.peer.id, bytes, waitedMs);
    this.#unreported = { bytes: 0, waitedMs: 0 };
  }

  #accept(got: Chunk): Chunk {
    const chunk = got.subarray(0, this.#end - this.#offset);
    const start = this.#offset;
    this.#offset += chunk.length;
    this.#contributors.add(this.#source, { start, end: this.#offset });
    if (this.#offset - this.#switchedAt >= GOOD_PROGRESS_BYTES) {
      this.#switches = 0;
      this.#switchedAt = this.#offset;
    }
    if (this.#offset === this.#end) this.close();
    return chunk;
  }

  /** Goes on at another peer, or stays if there is time and no other peer. */
  async #recover(trouble: Trouble): Promise<void> {
    const { search, health } = this.#collaborators;
    const { peer, arriving } = this.#source;
    if (trouble === "dead") this.#giveUp(trouble, `no byte in ${this.#options.giveUpMs} ms`);
    if (this.#switches >= this.#options.maxSwitches) {
      throw new Error(this.#story(`${this.#switches} switches without progress`));
    }
    // A peer is not to blame for bytes that it does not have itself yet.
    if (trouble === "died") {
      if (!arriving) health.broke(peer.id);
      this.#source.close();
      return await this.#replace(SECOND_LOOKS_MS, trouble);
    }
    if (!arriving) search.ban(peer.id);
    if (trouble === "slow") this.#watch.forgiveSlowness();
    else if (!arriving) health.stalled(peer.id, this.#options.responseTimeoutMs);
    await this.#replace([0], trouble);
  }

  async #replace(pausesMs: readonly number[], trouble: "died" | "stalled" | "slow") {
    const { search, clock } = this.#collaborators;
    const { single = false } = this.#options;
    // A slow proven peer is not replaced by an unproven one.
    const choosy = trouble === "slow" && this.#source.isProven;
    let next = single ? undefined : await this.#reopen(choosy);
    for (const pauseMs of next === undefined && !single ? pausesMs : []) {
      if (pauseMs > 0) await clock.sleep(pauseMs, this.#life);
      search.refresh({ slow: trouble === "slow" });
      next = await this.#reopen(choosy);
      if (next !== undefined) break;
    }
    // As long as no bytes have arrived the client can go on elsewhere without an error.
    const isHopeless = trouble === "died" || (single && trouble === "stalled") ||
      this.#contributors.isEmpty || search.elected;
    if (next === undefined && isHopeless) {
      this.#giveUp(trouble, `${trouble}, and no other peer has the content`);
    }
    // A peer that is still getting the content may itself have restarted a moment ago.
    this.#watch.renew(next?.arriving);
    if (next !== undefined) this.#switchTo(next, trouble);
  }

  #giveUp(trouble: Trouble, what: string): never {
    const reason = trouble === "died" ? trouble : "stalled";
    if (this.#source.arriving) this.#collaborators.metrics.followFailed(reason);
    this.#leave(trouble);
    throw new Error(this.#story(what));
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
    this.#leave(reason);
    this.#report();
    this.#source.close();
    this.#source = next;
    this.#reading = undefined;
    this.#switches++;
    this.#switchedAt = this.#offset;
  }

  /** The peer does not send all that it was asked for. */
  #leave(trouble: Trouble): void {
    this.#contributors.left(this.#source);
    if (trouble !== "slow" && !this.#source.arriving) {
      this.#collaborators.search.failed(this.#source);
    }
  }

  /** Asks other peers for the rest. */
  async #reopen(choosy: boolean): Promise<Source | undefined> {
    const part: Part = { start: this.#offset, end: this.#end };
    const whole = part.start === 0 && part.end === this.#size;
    const source = await this.#collaborators.search.open({
      ...this.#wanted,
      choosy,
      digest: this.#digest,
      size: this.#size,
      ...(whole ? {} : { range: `bytes=${part.start}-${part.end - 1}` }),
    }, this.#life.signal);
    if (!this.#over) return source;
    source?.close();
    return undefined;
  }

  /** Watches the progress for as long as the transfer lasts. */
  async #tick(): Promise<void> {
    const { clock, deliveries } = this.#collaborators;
    try {
      while (!this.#over) {
        await clock.sleep(this.#watch.tickMs, this.#life);
        this.#report();
        this.#watch.beMorePatient(patienceMs(this.#source, deliveries, clock.now()));
        const progress = this.#watch.check(clock.now());
        if (progress !== "fine") this.#alarm(progress);
      }
    } catch {
      // The transfer is over.
    }
  }

  /** Releases everything, once. */
  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#report();
    this.#alarm("died");
    this.#source.close();
  }

  #story(what: string): string {
    return `transfer of ${this.#digest} from peer ${this.#source.peer.id} failed at byte ` +
      `${this.#offset} of ${this.#size}: ${what}`;
  }
}
