import type { Cancellable } from "../ports/cancellable.ts";
import { type Deadline, deadline } from "./deadline.ts";

/** Time to deal with what has arrived, ms. */
const GRACE_MS = 20;

/**
 * As {@link deadline}, for short times: when they are over, what has arrived until then is dealt with
 * first. On a busy machine a process may not run for a while, and timers come before sockets when it
 * does: answers that have long been here would else be taken for missing.
 */
export function fairDeadline(ms: number, parent?: Partial<Cancellable>): Deadline {
  const controller = new AbortController();
  const { signal: outer } = parent ?? {};
  let grace: Deadline | undefined;
  const timer = setTimeout(() => {
    grace = deadline(GRACE_MS);
    grace.signal.addEventListener("abort", () => {
      controller.abort(new DOMException(`not done within ${ms} ms`, "TimeoutError"));
    }, { once: true });
  }, ms);
  const follow = () => controller.abort(outer?.reason);
  if (outer?.aborted) follow();
  else outer?.addEventListener("abort", follow, { once: true });
  const clear = () => {
    clearTimeout(timer);
    grace?.clear();
  };
  return {
    signal: controller.signal,
    clear,
    [Symbol.dispose]() {
      clear();
      outer?.removeEventListener("abort", follow);
    },
  };
}
