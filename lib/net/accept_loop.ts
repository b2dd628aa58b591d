import type { Runtime } from "../ports/runtime.ts";

export interface Closable {
  close(): void;
}

/** Accepts connections, one per call. */
export interface Acceptor<C> extends Closable {
  accept(): Promise<C>;
}

export interface AcceptLoopCollaborators<C> extends Pick<Runtime, "clock" | "log"> {
  /** Listens on the same address each time; throws if it cannot. */
  readonly listen: () => Acceptor<C>;
  /** Takes ownership of a connection; must not throw. */
  readonly take: (connection: C) => void;
}

/** System errors that mean exhausted resources; the listener itself still works. */
const EXHAUSTED: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);
/** First delay after a failure, ms; doubled with each further one. */
const PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;
/** How long the listener counts as deaf after a failure, ms; the next attempt comes well within. */
const DEAF_MS = 3 * MAX_PAUSE_MS;
/**
 * Delay after a connection that ended before it was accepted, ms, so that other work gets a turn.
 */
const ABORTED_PAUSE_MS = 1;

/**
 * Accepts connections until it is closed, across failures. The runtime's own servers end with the
 * first failure, or never accept again: with too many open files, which any client can cause by
 * connecting often enough. This loop pauses and continues; after any other failure it listens anew.
 */
export class AcceptLoop<C extends Closable> {
  readonly #collaborators: AcceptLoopCollaborators<C>;
  readonly #what: string;
  readonly #stop = new AbortController();
  #acceptor: Acceptor<C> | undefined;
  #failures = 0;
  #failedAt = -Infinity;

  /** @param what the listener's name, for the log. */
  constructor(collaborators: AcceptLoopCollaborators<C>, what: string) {
    this.#collaborators = collaborators;
    this.#what = what;
  }

  /** Whether clients that connect now would wait in vain. */
  get deaf(): boolean {
    if (this.#stop.signal.aborted) return false;
    const { clock } = this.#collaborators;
    return this.#acceptor === undefined || clock.now() - this.#failedAt < DEAF_MS;
  }

  /** Listens, and accepts in the background. @throws what `listen` throws. */
  open(): void {
    this.#acceptor = this.#collaborators.listen();
    this.#run().catch((error) => {
      if (this.#stop.signal.aborted) return;
      this.#collaborators.log.error("connections are no longer accepted", {
        listener: this.#what,
        error,
      });
    });
  }

  /** Stops accepting; accepted connections stay open. */
  close(): void {
    this.#stop.abort();
    this.#drop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#acceptor ??= this.#collaborators.listen();
        const connection = await this.#acceptor.accept();
        if (signal.aborted) return connection.close();
        this.#recovered();
        this.#collaborators.take(connection);
      } catch (error) {
        if (signal.aborted) return;
        await this.#pause(error);
      }
    }
  }

  async #pause(error: unknown): Promise<void> {
    const { clock, log } = this.#collaborators;
    if (isAborted(error)) return await clock.sleep(ABORTED_PAUSE_MS, this.#stop);
    if (this.#failures === 0) {
      log.warn("connections cannot be accepted, trying again", { listener: this.#what, error });
    }
    this.#failedAt = clock.now();
    const pauseMs = Math.min(PAUSE_MS * 2 ** this.#failures, MAX_PAUSE_MS);
    this.#failures = Math.min(this.#failures + 1, 16);
    if (!isExhaustion(error)) this.#drop();
    await clock.sleep(pauseMs, this.#stop);
  }

  #recovered(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#collaborators.log.info("connections are accepted again", { listener: this.#what });
  }

  #drop(): void {
    try {
      this.#acceptor?.close();
    } catch {
      // Already closed.
    }
    this.#acceptor = undefined;
  }
}

function isExhaustion(error: unknown): boolean {
  return EXHAUSTED.has((error as { code?: unknown } | null)?.code);
}

/** The connection ended before it was accepted. */
function isAborted(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset;
}
