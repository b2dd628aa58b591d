import type { Runtime } from "../ports/runtime.ts";

/** What can be closed. */
export interface Closable {
  close(): void;
}

/** Hands out connections, one for each call. */
export interface Acceptor<C> extends Closable {
  accept(): Promise<C>;
}

/** What an {@link AcceptLoop} works with. */
export interface AcceptLoopCollaborators<C> extends Pick<Runtime, "clock" | "log"> {
  /** Listens, at the same place each time; throws if it cannot. */
  readonly listen: () => Acceptor<C>;
  /** Takes a connection over, and closes it when it is done; must not throw. */
  readonly take: (connection: C) => void;
}

/** Errors of the system that say that it has nothing left to accept with, not that it is deaf. */
const EXHAUSTED: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);
/** The first pause after a failure, ms; it doubles with each. */
const PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;
/** For so long after a failure it counts as deaf, ms: the next attempt is made well within. */
const DEAF_MS = 3 * MAX_PAUSE_MS;
/** Others may need a turn between connections that were gone before they were accepted, ms. */
const ABORTED_PAUSE_MS = 1;

/**
 * Accepts connections until it is closed, whatever comes in between. The runtime's own servers end
 * with the first failure, or never hear again: too many open files, which whoever connects often
 * enough brings about. Here it pauses and goes on; what else is wrong it answers by listening anew.
 */
export class AcceptLoop<C extends Closable> {
  readonly #collaborators: AcceptLoopCollaborators<C>;
  readonly #what: string;
  readonly #stop = new AbortController();
  #acceptor: Acceptor<C> | undefined;
  #failures = 0;
  #failedAt = -Infinity;

  /** @param what listens, for the log. */
  constructor(collaborators: AcceptLoopCollaborators<C>, what: string) {
    this.#collaborators = collaborators;
    this.#what = what;
  }

  /** Whether connections wait in vain, or would. */
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

  /** Accepts no more; what was accepted goes on. */
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
    if (isClientsFault(error)) return await clock.sleep(ABORTED_PAUSE_MS, this.#stop);
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
      // It is closed already.
    }
    this.#acceptor = undefined;
  }
}

function isExhaustion(error: unknown): boolean {
  return EXHAUSTED.has((error as { code?: unknown } | null)?.code);
}

/** It has gone before it was accepted. */
function isClientsFault(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset;
}
