/** The content is not what its digest says; nothing of its end was passed on. */
export class BadContentError extends Error {
  override readonly name = "BadContentError";
}
