import { type Link, link } from "../../async/link.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import { type Digest, splitDigest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Verifier } from "./verify.ts";
import {
  BEGIN_SHA256,
  BEGIN_SHA512,
  DROP,
  EXIT,
  FINISH,
  MARK,
  RingWriter,
  SLOT_BYTES,
  UPDATE,
} from "./ring.ts";
import { type WorkerMessage, workerUrl } from "./worker_program.ts";

/** How long the thread may take for an answer, ms; it needs milliseconds. */
const PATIENCE_MS = 10_000;
/** How often that is checked during waits, ms: a timer for each wait would cost more. */
const LOOK_MS = 1_000;

/** A thread that hashes the chunks of the ring that the first message brings. */
export type HashThread = Pick<Worker, "onmessage" | "onerror" | "postMessage" | "terminate">;

/** What a {@link HashWorker} works with. */
export interface HashWorkerCollaborators {
  readonly clock: Clock;
  /** Starts the thread; default a worker that runs the program for it. */
  readonly start?: (() => HashThread) | undefined;
  /** Called when no verifier is in use any more. */
  readonly whenIdle?: () => void;
}

/**
 * A thread that hashes, so that the one that moves bytes does not have to. If it crashes or hangs,
 * all waits for it fail, and it is not used any more.
 */
export class HashWorker {
  readonly #clock: Clock;
  readonly #worker: HashThread;
  readonly #ring = new RingWriter();
  readonly #results = new Map<number, (hex: string) => void>();
  readonly #marks = new Map<number, string[]>();
  readonly #failed = Promise.withResolvers<never>();
  #room = Promise.withResolvers<void>();
  #turn: Promise<void> = Promise.resolve();
  #hashes = 0;
  #active = 0;
  /** Writes that wait for room. */
  #waiting = 0;
  /** When each wait for the thread began, the oldest first. */
  readonly #waits = new Set<{ readonly since: number }>();
  #look: Link | undefined;
  #usable = true;
  readonly #whenIdle: () => void;

  /** @throws if no thread can be started. */
  constructor({ clock, start = startWorker, whenIdle = () => {} }: HashWorkerCollaborators) {
    this.#clock = clock;
    this.#whenIdle = whenIdle;
    this.#failed.promise.catch(() => {});
    this.#worker = start();
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
      if (data === "room") this.#roomCame();
      else if (data.isMark) this.#marks.get(data.hash)?.push(data.hex);
      else this.#results.get(data.hash)?.(data.hex);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`the thread that hashes failed: ${event.message}`));
    };
    this.#worker.postMessage(this.#ring.memory);
  }

  /** False once it has failed or ended: then it must not be used any more. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Verifiers that are in use. */
  get active(): number {
    return this.#active;
  }

  /**
   * Makes a verifier of content that should have this digest. It must be asked for its verdict or
   * dropped. Its methods reject when the thread fails or hangs, and with the signal's reason when
   * that aborts.
   */
  verifier(digest: Digest, { signal }: Cancellable): Verifier {
    const { algorithm, hex } = splitDigest(digest);
    const hash = this.#hashes = (this.#hashes + 1) | 0;
    this.#active++;
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      this.#marks.delete(hash);
      if (--this.#active === 0) this.#whenIdle();
    };
    let begun = this.#write(algorithm === "sha256" ? BEGIN_SHA256 : BEGIN_SHA512, hash, signal);
    begun?.catch(() => {});
    const marks: string[] = [];
    this.#marks.set(hash, marks);
    return {
      marks,
      mark: () => this.#write(MARK, hash, signal),
      update: async (chunk) => {
        await begun;
        begun = undefined;
        for (let at = 0; at < chunk.length; at += SLOT_BYTES) {
          await this.#write(UPDATE, hash, signal, chunk.subarray(at, at + SLOT_BYTES));
        }
      },
      matches: async () => {
        try {
          return await this.#finish(hash, signal) === hex;
        } finally {
          end();
        }
      },
      drop: () => {
        if (!ended && this.#usable) this.#write(DROP, hash)?.catch(() => {});
        end();
      },
    };
  }

  /** Ends the thread. */
  close(): void {
    if (this.#usable && this.#ring.hasRoom) this.#ring.write(EXIT, 0);
    this.#fail(new Error("the thread that hashes has ended"));
  }

  async #finish(hash: number, signal: AbortSignal): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#results.set(hash, resolve);
    const waited = this.#wait();
    try {
      await this.#write(FINISH, hash, signal);
      return await untilAborted(Promise.race([promise, this.#failed.promise]), signal);
    } finally {
      waited();
      this.#results.delete(hash);
    }
  }

  /**
   * Undefined when done at once; else writes wait in order.
   *
   * @param signal ends the waiting: nothing is written then.
   */
  #write(
    what: number,
    hash: number,
    signal?: AbortSignal,
    bytes?: Uint8Array,
  ): Promise<void> | undefined {
    if (this.#waiting === 0 && this.#usable && this.#ring.hasRoom && !signal?.aborted) {
      this.#ring.write(what, hash, bytes);
      return undefined;
    }
    this.#waiting++;
    const waited = this.#wait();
    const turn = this.#turn.then(async () => {
      while (this.#usable && !signal?.aborted && !this.#ring.awaitRoom()) {
        // Not raced with `failed`: that lives as long as the thread, and would remember each wait.
        await this.#room.promise;
      }
      signal?.throwIfAborted();
      if (!this.#usable) await this.#failed.promise;
      this.#ring.write(what, hash, bytes);
    }).finally(() => {
      this.#waiting--;
      waited();
    });
    this.#turn = turn.catch(() => {});
    return signal === undefined ? turn : untilAborted(turn, signal);
  }

  #roomCame(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  /** A wait for the thread begins; the function returned ends it. */
  #wait(): () => void {
    const wait = { since: this.#clock.now() };
    this.#waits.add(wait);
    if (this.#look === undefined && this.#usable) this.#lookAfter(this.#look = link());
    return () => void this.#waits.delete(wait);
  }

  /** Watches for waits that take too long, as long as there are any, and ends the thread then. */
  async #lookAfter(life: Link): Promise<void> {
    try {
      while (this.#waits.size > 0) {
        await this.#clock.sleep(LOOK_MS, life);
        const [oldest] = this.#waits;
        if (oldest === undefined || this.#clock.now() - oldest.since < PATIENCE_MS) continue;
        this.#fail(new Error("the thread that hashes hangs"));
      }
    } catch {
      // The thread has ended, and all waits with it.
    } finally {
      this.#look = undefined;
    }
  }

  #fail(error: Error): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#failed.reject(error);
    this.#roomCame();
    this.#look?.abort();
    this.#worker.terminate();
  }
}

function startWorker(): HashThread {
  return new Worker(workerUrl(), { type: "module", name: "hashes" });
}
