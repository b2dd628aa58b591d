import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "../ports.ts";
import type { VerifiedContent } from "./content_cache.ts";

/** Says how it went: the content, or undefined if it is large, or nobody has it. */
export type Settle = (content: VerifiedContent | undefined) => void;

/**
 * Lets those who want the same small blob (a config, say) at about the same time share one answer
 * of a peer. Whether a blob is small is known only when a peer has answered; then everybody who
 * wants a large one is on his own.
 */
export class SmallBlobs {
  readonly #leaders = new Map<Digest, Promise<VerifiedContent | undefined>>();

  /** What comes of somebody else's getting it just now; undefined if nobody does: then lead. */
  join(
    digest: Digest,
    { signal }: Cancellable,
  ): Promise<VerifiedContent | undefined> | undefined {
    const leader = this.#leaders.get(digest);
    return leader && follow(leader, signal);
  }

  /** Begins to get a blob. The function returned has to be called, once it is known how it went. */
  lead(digest: Digest): Settle {
    const { promise, resolve } = Promise.withResolvers<VerifiedContent | undefined>();
    this.#leaders.set(digest, promise);
    return (content) => {
      if (this.#leaders.get(digest) === promise) this.#leaders.delete(digest);
      resolve(content);
    };
  }
}

/** @throws the signal's reason when it aborts. */
async function follow<T>(leader: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const onAbort = () => aborted.resolve(undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const content = await Promise.race([leader, aborted.promise]);
    signal.throwIfAborted();
    return content;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
