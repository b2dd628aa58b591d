import type { Digest } from "../../oci/digest.ts";
import type { Log } from "../../ports.ts";
import { createVerifier, type Verifier } from "../verify.ts";
import { HashWorker } from "./hash_worker.ts";

/** Content from this size on is hashed by a thread of its own, bytes. */
const WORKER_FROM_BYTES = 32 * 1024 * 1024;
/** The thread ends when nothing was hashed for so long, ms: it costs about 15 MB. */
const WORKER_IDLE_MS = 30_000;

/** Settings of {@link Hashes}. */
export interface HashesOptions {
  /** Processors; with one there is nothing to be gained from a second thread. */
  readonly processors: number;
}

/** Makes verifiers: of large content on a thread of its own, which lives while it is of use. */
export class Hashes {
  readonly #log: Log;
  readonly #options: HashesOptions;
  #worker: HashWorker | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(log: Log, options: HashesOptions = { processors: navigator.hardwareConcurrency }) {
    this.#log = log;
    this.#options = options;
  }

  /** Makes a verifier of content that should have this digest, and has this size. */
  verifier(digest: Digest, size: number): Verifier {
    if (size < WORKER_FROM_BYTES || this.#options.processors < 2 || this.#closed) {
      return createVerifier(digest);
    }
    clearTimeout(this.#idle);
    return this.#running().verifier(digest);
  }

  /** Ends the thread. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#worker?.close();
  }

  #running(): HashWorker {
    if (this.#worker?.usable) return this.#worker;
    if (this.#worker !== undefined) this.#log.warn("the thread that hashes is started anew");
    const worker = new HashWorker(() => {
      clearTimeout(this.#idle);
      if (!this.#closed) this.#idle = setTimeout(() => this.#end(worker), WORKER_IDLE_MS);
    });
    this.#worker = worker;
    return worker;
  }

  #end(worker: HashWorker): void {
    worker.close();
    if (this.#worker === worker) this.#worker = undefined;
  }
}
