/** A signal that follows others and can be aborted by itself. Use with `using` where scoped. */
export interface Link extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Stops following; the signal's own state stays. */
  detach(): void;
}

/** Default reason of `abort`; shared, since creating one takes microseconds. */
const DONE = new DOMException("it is not needed any more", "AbortError");

/**
 * Makes a signal that aborts with the first of its parents. Unlike `AbortSignal.any` it leaves
 * nothing behind on long-lived parents once detached or disposed.
 */
export function link(...parents: readonly AbortSignal[]): Link {
  const controller = new AbortController();
  const follow = (event: Event) => {
    detach();
    controller.abort((event.target as AbortSignal).reason);
  };
  const detach = () => {
    for (const parent of parents) parent.removeEventListener("abort", follow);
  };
  const aborted = parents.find((parent) => parent.aborted);
  if (aborted !== undefined) controller.abort(aborted.reason);
  else for (const parent of parents) parent.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    abort(reason = DONE) {
      detach();
      controller.abort(reason);
    },
    detach,
    [Symbol.dispose]: detach,
  };
}
