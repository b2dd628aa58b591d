import type { Evidence } from "./evidence.ts";

/** The content does not match its digest. Its last bytes were not passed on. */
export class BadContentError extends Error {
  override readonly name = "BadContentError";

  /**
   * @param evidence identifies the liar once the right content is known: several peers sent it, so
   * that none was blamed.
   */
  constructor(message: string, readonly evidence: Evidence | undefined) {
    super(message);
  }
}
