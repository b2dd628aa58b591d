import type { Evidence } from "./evidence.ts";

/** The content is not what its digest says; nothing of its end was passed on. */
export class BadContentError extends Error {
  override readonly name = "BadContentError";

  /**
   * @param isUnsolved several sent it, so that nobody was blamed.
   * @param evidence tells who it was once the right content is at hand, if anything was kept of it.
   */
  constructor(message: string, readonly isUnsolved: boolean, readonly evidence?: Evidence) {
    super(message);
  }
}
