import { createHash } from "node:crypto";
import { deadline } from "../../async/deadline.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import { type Digest, splitDigest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";

/**
 * Result of a check; `unknown` if the store did not answer, or the content was removed or rewritten
 * meanwhile.
 */
export type Verdict = "sound" | "damaged" | "unknown";

export interface ReadAgainCollaborators {
  readonly store: Pick<Store, "descriptor" | "open" | "stamp">;
  readonly clock: Pick<Clock, "sleep">;
}

/** Read rate of a check, bytes per ms: the disk is there for pulls. */
const BYTES_PER_MS = 64 * 1024;
/** Deadline for an answer of the store, and for the next bytes of a file, ms. */
const TIMEOUT_MS = 10_000;
/**
 * Delay before unreadable content is tried again, ms: the store may have been down for a moment.
 */
const RETRY_MS = 1_000;

/**
 * Reads content of the store, slowly, and compares it with its digest. Held content that cannot be
 * read to its end is damaged, too.
 *
 * @throws the signal's reason when it aborts.
 */
export async function readAgain(
  { store, clock }: ReadAgainCollaborators,
  digest: Digest,
  { signal }: Cancellable,
): Promise<Verdict> {
  const stamp = () => bounded(signal, (signal) => stampOf(store, digest, { signal }));
  try {
    const before = await stamp();
    let read = await hashOf({ store, clock }, digest, { signal });
    if (read === "unreadable") {
      await clock.sleep(RETRY_MS, { signal });
      read = await hashOf({ store, clock }, digest, { signal });
    }
    if (read === undefined || await stamp() !== before) return "unknown";
    return read === splitDigest(digest).hex ? "sound" : "damaged";
  } catch {
    signal.throwIfAborted();
    return "unknown";
  }
}

/** Changes once content is rewritten; undefined if it is not held. */
export async function stampOf(
  store: Pick<Store, "descriptor" | "stamp">,
  digest: Digest,
  options: Cancellable,
): Promise<string | undefined> {
  if (store.stamp !== undefined) return await store.stamp(digest, options);
  return (await store.descriptor(digest, options)) && "held";
}

/**
 * The hash in hexadecimal, or `unreadable` if the content cannot be read to its end; undefined if
 * it is not held.
 */
async function hashOf(
  { store, clock }: ReadAgainCollaborators,
  digest: Digest,
  { signal }: Cancellable,
): Promise<string | undefined> {
  const held = await bounded(signal, (signal) => store.descriptor(digest, { signal }));
  if (held === undefined) return undefined;
  // Not `bounded`'s own signal: the stream may follow the signal it is opened with.
  const stream = await bounded(signal, () => store.open(digest, { signal, held }));
  const reader = stream?.getReader();
  if (reader === undefined) return undefined;
  const hash = createHash(splitDigest(digest).algorithm);
  try {
    while (true) {
      const read = () => bounded(signal, () => reader.read());
      const { done, value } = await read();
      if (done) return hash.digest("hex");
      hash.update(value);
      await clock.sleep(value.length / BYTES_PER_MS, { signal });
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DOMException) throw error;
    return "unreadable";
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** @throws a `TimeoutError` at the deadline, the signal's reason when it aborts. */
async function bounded<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) {
  using limit = deadline(TIMEOUT_MS, { signal });
  return await untilAborted(work(limit.signal), limit.signal);
}
