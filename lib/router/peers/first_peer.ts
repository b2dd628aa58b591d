import { untilAborted } from "../../async/until_aborted.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";

/** How long the first peer is waited for after the start, ms. */
const LIMIT_MS = 2000;

/**
 * The first peer of a node that starts. Containerd asks as soon as the registry listens; what it is
 * refused then goes upstream, though a peer that is about to be known has it.
 */
export class FirstPeer {
  readonly #collaborators: Pick<Runtime, "clock" | "log">;
  #over: PromiseWithResolvers<void> | undefined;

  constructor(collaborators: Pick<Runtime, "clock" | "log">) {
    this.#collaborators = collaborators;
  }

  /** Whether it is waited for. */
  get awaited(): boolean {
    return this.#over !== undefined;
  }

  /**
   * Has it waited for until {@link end}, for two seconds at most, or until the signal aborts. Does
   * not reject.
   */
  async run(options: Cancellable): Promise<void> {
    this.#over ??= Promise.withResolvers();
    const { clock, log } = this.#collaborators;
    try {
      await clock.sleep(LIMIT_MS, options);
      if (this.awaited) {
        log.info("no peer is known yet, requests no longer wait for the first", {
          waitedMs: LIMIT_MS,
        });
      }
    } catch {
      // The router leaves.
    }
    this.end();
  }

  /** A peer is known, or nobody answers for now. Idempotent. */
  end(): void {
    this.#over?.resolve();
    this.#over = undefined;
  }

  /** Resolves once it is no longer waited for. @throws the signal's reason when it aborts. */
  async wait({ signal }: Cancellable): Promise<void> {
    if (this.#over !== undefined) await untilAborted(this.#over.promise, signal);
  }
}
