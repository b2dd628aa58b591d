import { type Link, link } from "../../async/link.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { LogFields } from "../../ports/log.ts";
import { createVerifier, type Verifier } from "./verify.ts";
import { type HashThread, HashWorker } from "./hash_worker.ts";

/** Content from this size on is hashed by a thread of its own, bytes. */
const WORKER_FROM_BYTES = 32 * 1024 * 1024;
/** An idle thread ends after this time, ms: it costs about 15 MB. */
const WORKER_IDLE_MS = 30_000;
/** After a thread has failed, the main thread hashes for this time, ms: the next may fail, too. */
const REST_MS = 30_000;

/** What {@link Hashes} work with. */
export interface HashesCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Starts a thread; default a worker. */
  readonly start?: (() => HashThread) | undefined;
}

/** Settings of {@link Hashes}. */
export interface HashesOptions {
  /** Processors; with one, a second thread brings nothing. */
  readonly processors: number;
}

/**
 * Makes verifiers. Large content is hashed by a thread of its own, which lives as long as it is
 * used.
 */
export class Hashes {
  readonly #collaborators: HashesCollaborators;
  readonly #options: HashesOptions;
  #worker: HashWorker | undefined;
  #idle: Link | undefined;
  #restUntil = -Infinity;
  #closed = false;

  constructor(
    collaborators: HashesCollaborators,
    options: HashesOptions = { processors: navigator.hardwareConcurrency },
  ) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /**
   * Makes a verifier of content that should have this digest, and has this size.
   *
   * @param options the signal ends the verifier's waits.
   */
  verifier(digest: Digest, size: number, options: Cancellable): Verifier {
    const large = size >= WORKER_FROM_BYTES && this.#options.processors > 1 && !this.#closed;
    const worker = large ? this.#running() : undefined;
    if (worker === undefined) return createVerifier(digest);
    this.#idle?.abort();
    return worker.verifier(digest, options);
  }

  /** Ends the thread. */
  close(): void {
    this.#closed = true;
    this.#idle?.abort();
    this.#worker?.close();
  }

  /** Undefined if there is no thread just now. */
  #running(): HashWorker | undefined {
    const { clock, start } = this.#collaborators;
    if (this.#worker?.usable) return this.#worker;
    if (this.#worker !== undefined) this.#rest("the thread that hashes is given up for a while");
    if (clock.now() < this.#restUntil) return undefined;
    try {
      const worker = new HashWorker({
        clock,
        start,
        whenIdle: () => this.#endLater(worker),
      });
      return this.#worker = worker;
    } catch (error) {
      this.#rest("no thread that hashes could be started", { error });
      return undefined;
    }
  }

  #rest(message: string, fields: LogFields = {}): void {
    const { clock, log } = this.#collaborators;
    this.#worker = undefined;
    this.#restUntil = clock.now() + REST_MS;
    log.warn(message, { forMs: REST_MS, ...fields });
  }

  /** Ends an idle thread, if it is still the one in use by then and has nothing to do. */
  #endLater(worker: HashWorker): void {
    if (this.#worker !== worker || this.#closed) return;
    this.#idle?.abort();
    const idle = this.#idle = link();
    this.#collaborators.clock.sleep(WORKER_IDLE_MS, idle).then(() => {
      worker.close();
      if (this.#worker === worker) this.#worker = undefined;
    }, () => {});
  }
}
