import { createHash } from "node:crypto";
import { deadline } from "../../async/deadline.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import { type Digest, splitDigest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";

/**
 * How content is that was read again; `unknown` if the store could not be asked, or it went away or
 * was written anew meanwhile.
 */
export type Verdict = "sound" | "damaged" | "unknown";

/** What {@link readAgain} works with. */
export interface ReadAgainCollaborators {
  readonly store: Pick<Store, "descriptor" | "open" | "stamp">;
  readonly clock: Pick<Clock, "sleep">;
}

/** So fast content is read again, bytes a ms: the disk is there for pulls. */
const BYTES_PER_MS = 64 * 1024;
/** Longest wait for the store, and for the next bytes of a file, ms. */
const PATIENCE_MS = 10_000;
/** What cannot be read is tried again after so long, ms: the store may just have been away. */
const RETRY_MS = 1_000;

/**
 * Reads content of the store, slowly, and compares it with its digest. What cannot be read to its
 * end though the store holds it is damaged, too.
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

/** Differs once content was written anew; undefined if it is not held. */
export async function stampOf(
  store: Pick<Store, "descriptor" | "stamp">,
  digest: Digest,
  options: Cancellable,
): Promise<string | undefined> {
  if (store.stamp !== undefined) return await store.stamp(digest, options);
  return (await store.descriptor(digest, options)) && "held";
}

/** In hexadecimal, or `unreadable` if it cannot be read to its end; undefined if it is not held. */
async function hashOf(
  { store, clock }: ReadAgainCollaborators,
  digest: Digest,
  { signal }: Cancellable,
): Promise<string | undefined> {
  const held = await bounded(signal, (signal) => store.descriptor(digest, { signal }));
  if (held === undefined) return undefined;
  // The stream may follow the signal that it is opened with.
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

/** @throws a `TimeoutError` if it takes too long, the signal's reason when it aborts. */
async function bounded<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) {
  using limit = deadline(PATIENCE_MS, { signal });
  return await untilAborted(work(limit.signal), limit.signal);
}
