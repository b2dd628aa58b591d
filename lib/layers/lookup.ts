import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";

/** Collaborators of {@link Lookup}. */
export interface LookupCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly store: Pick<Store, "descriptor">;
  /** Finds what the runtime is fetching; undefined: that cannot be seen. */
  readonly arrivals?: Pick<Arrivals, "find"> | undefined;
}

/** The longest that one round bears with lookups that fail, ms: then it is the store that fails. */
const MAX_FAILING_MS = 5_000;

/** Looks layers up, in rounds; one that cannot be read does not keep a round from the others. */
export class Lookup {
  readonly #with: LookupCollaborators;
  #failingMs = 0;

  constructor(collaborators: LookupCollaborators) {
    this.#with = collaborators;
  }

  /** Begins a round. */
  begin(): void {
    this.#failingMs = 0;
  }

  /**
   * Undefined if the store does not have it, or cannot read it.
   *
   * @throws what the store throws, once lookups that failed took too long, or the signal's reason.
   */
  async find(digest: Digest, options: Cancellable): Promise<Descriptor | undefined> {
    const { clock, log, store } = this.#with;
    const startedAt = clock.now();
    try {
      return await store.descriptor(digest, options);
    } catch (error) {
      options.signal.throwIfAborted();
      this.#failingMs += clock.now() - startedAt;
      if (this.#failingMs > MAX_FAILING_MS) throw error;
      log.debug("a layer cannot be looked up", { digest, error });
      return undefined;
    }
  }

  /** Whether the runtime is fetching any of these. */
  async isAnyArriving(digests: readonly Digest[], options: Cancellable): Promise<boolean> {
    const { arrivals } = this.#with;
    if (arrivals === undefined) return false;
    for (const digest of digests) {
      options.signal.throwIfAborted();
      if (await arrivals.find(digest, options) !== undefined) return true;
    }
    return false;
  }
}
