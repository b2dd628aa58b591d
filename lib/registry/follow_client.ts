import type { Cancellable } from "../ports/cancellable.ts";

/** Tells the steps of a request that its client has gone. */
export interface ClientPresence {
  /** Follows the connection from the first access on. */
  readonly signal: AbortSignal;
  /** Stops following the connection, before the response is returned. */
  unfollow(): void;
  /** The client stopped reading the response. */
  abandon(): void;
}

/**
 * Follows a request's connection, and a stop of the registry, until its response is returned.
 * Afterwards the end of the response body tells whether the client is still there. To follow
 * signals costs as much as a small answer does, so nothing is followed for answers that wait for
 * nothing.
 */
export function followClient(request: Request, stop: Cancellable): ClientPresence {
  let controller: AbortController | undefined;
  let followed: readonly AbortSignal[] = [];
  let over = false;
  let abandoned = false;
  const abandon = () => {
    abandoned = true;
    controller?.abort(new DOMException("the client went away", "AbortError"));
  };
  const follow = (signal: AbortSignal) => {
    if (signal.aborted) abandon();
    else signal.addEventListener("abort", abandon, { once: true });
  };
  return {
    get signal() {
      if (controller !== undefined) return controller.signal;
      controller = new AbortController();
      if (abandoned) abandon();
      else if (!over) (followed = [request.signal, stop.signal]).forEach(follow);
      return controller.signal;
    },
    unfollow() {
      over = true;
      for (const signal of followed) signal.removeEventListener("abort", abandon);
    },
    abandon,
  };
}
