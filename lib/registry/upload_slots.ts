import { OciError } from "../oci/error.ts";

/** Limits how many blobs are sent to peers at the same time. */
export class UploadSlots {
  readonly #most: number;
  #taken = 0;

  /** @param most Infinity for no limit. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Takes one; undefined if all are taken. The function returned gives it back, once. */
  take(): (() => void) | undefined {
    if (this.#taken >= this.#most) return undefined;
    this.#taken++;
    let given = false;
    return () => {
      if (!given) this.#taken--;
      given = true;
    };
  }
}

/**
 * Takes a slot for a peer. If there is none, the peer asks another, or asks again later.
 *
 * @throws {OciError} 429 (RFC 6585, section 4) if all are taken.
 */
export function takeUploadSlot(uploads: UploadSlots): () => void {
  const giveBack = uploads.take();
  if (giveBack !== undefined) return giveBack;
  throw new OciError("TOOMANYREQUESTS", "as many blobs as allowed are on their way to peers", {
    status: 429,
  });
}
