/** Options of a call that may wait. */
export interface Cancellable {
  /** Aborts the call; its promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}
