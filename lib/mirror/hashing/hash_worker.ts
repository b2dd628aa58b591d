import { type Digest, splitDigest } from "../../oci/digest.ts";
import type { Verifier } from "../verify.ts";
import {
  BEGIN_SHA256,
  BEGIN_SHA512,
  DROP,
  EXIT,
  FINISH,
  RingWriter,
  SLOT_BYTES,
  UPDATE,
} from "./ring.ts";
import { type WorkerMessage, workerUrl } from "./worker_program.ts";

/** How long the worker may take for what is in the ring, ms; it needs milliseconds. */
const PATIENCE_MS = 10_000;

/** A thread that hashes, so that the one that moves bytes does not have to. */
export class HashWorker {
  readonly #worker: Worker;
  readonly #ring = new RingWriter();
  readonly #results = new Map<number, (hex: string) => void>();
  readonly #failed = Promise.withResolvers<never>();
  #room = Promise.withResolvers<void>();
  #turn: Promise<void> = Promise.resolve();
  #hashes = 0;
  #active = 0;
  /** Writes that wait for room. */
  #waiting = 0;
  #usable = true;
  readonly #whenIdle: () => void;

  /** @param whenIdle called when no verifier is in use any more. */
  constructor(whenIdle: () => void) {
    this.#whenIdle = whenIdle;
    this.#failed.promise.catch(() => {});
    this.#worker = new Worker(workerUrl(), { type: "module", name: "hashes" });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
      if (data === "room") this.#roomCame();
      else this.#results.get(data.hash)?.(data.hex);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`the thread that hashes failed: ${event.message}`));
    };
    this.#worker.postMessage(this.#ring.memory);
  }

  /** False once it has failed or ended: then it must not be given any more. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Verifiers that are in use. */
  get active(): number {
    return this.#active;
  }

  /** Makes a verifier of content that should have this digest. It has to be asked or dropped. */
  verifier(digest: Digest): Verifier {
    const { algorithm, hex } = splitDigest(digest);
    const hash = this.#hashes = (this.#hashes + 1) | 0;
    this.#active++;
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      if (--this.#active === 0) this.#whenIdle();
    };
    let begun = this.#write(algorithm === "sha256" ? BEGIN_SHA256 : BEGIN_SHA512, hash);
    return {
      update: async (chunk) => {
        await begun;
        begun = undefined;
        for (let at = 0; at < chunk.length; at += SLOT_BYTES) {
          await this.#write(UPDATE, hash, chunk.subarray(at, at + SLOT_BYTES));
        }
      },
      matches: async () => {
        try {
          return await this.#finish(hash) === hex;
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
    if (!this.#usable) return;
    this.#fail(new Error("the thread that hashes has ended"));
    if (this.#ring.hasRoom) this.#ring.write(EXIT, 0);
    this.#worker.terminate();
  }

  async #finish(hash: number): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const late = setTimeout(
      () => this.#fail(new Error("the thread that hashes hangs")),
      PATIENCE_MS,
    );
    this.#results.set(hash, resolve);
    try {
      await this.#write(FINISH, hash);
      return await Promise.race([promise, this.#failed.promise]);
    } finally {
      clearTimeout(late);
      this.#results.delete(hash);
    }
  }

  /** Undefined when done at once; else those who wait get their turns in order. */
  #write(what: number, hash: number, bytes?: Uint8Array): Promise<void> | undefined {
    if (this.#waiting === 0 && this.#usable && this.#ring.hasRoom) {
      this.#ring.write(what, hash, bytes);
      return undefined;
    }
    this.#waiting++;
    const turn = this.#turn.then(async () => {
      while (this.#usable && !this.#ring.awaitRoom()) {
        // Not raced with `failed`: that lives as long as the thread, and would remember each wait.
        await this.#room.promise;
      }
      if (!this.#usable) await this.#failed.promise;
      this.#ring.write(what, hash, bytes);
    }).finally(() => this.#waiting--);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #roomCame(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  #fail(error: Error): void {
    this.#usable = false;
    this.#failed.reject(error);
    this.#roomCame();
  }
}
