import type { Cancellable } from "../ports/cancellable.ts";
import { type Deadline, deadline } from "./deadline.ts";

/** Time to process what has already arrived, ms. */
const GRACE_MS = 20;

/**
 * Like {@link deadline}, for short limits: at the limit, data that has already arrived is processed
 * first. On a busy machine a process may pause for a while and then runs its timers before its
 * sockets, so answers that arrived in time would count as missing.
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
