import type { Evidence } from "./evidence.ts";

/** The content is not what its digest says; nothing of its end was passed on. */
export class BadContentError extends Error {
  override readonly name = "BadContentError";

  /**
   * @param evidence tells who it was once the right content is at hand: several sent it, so that
   * nobody was blamed.
   */
  constructor(message: string, readonly evidence: Evidence | undefined) {
    super(message);
  }
}
