import type { Cancellable } from "../ports/cancellable.ts";

/** A signal with a time limit that can be lifted. Use with `using`. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Lifts the limit; the signal then only follows its parent until disposed. */
  clear(): void;
}

/**
 * A signal that aborts after `ms` milliseconds with a `TimeoutError`, or when the parent aborts,
 * with the parent's reason. Unlike `AbortSignal.any` with `AbortSignal.timeout` it leaves neither a
 * timer nor a listener behind once disposed.
 */
export function deadline(ms: number, parent?: Partial<Cancellable>): Deadline {
  const controller = new AbortController();
  const { signal: outer } = parent ?? {};
  const timer = setTimeout(
    () => controller.abort(new DOMException(`not done within ${ms} ms`, "TimeoutError")),
    ms,
  );
  const follow = () => controller.abort(outer?.reason);
  if (outer?.aborted) follow();
  else outer?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    clear: () => clearTimeout(timer),
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", follow);
    },
  };
}
