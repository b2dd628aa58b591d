import type { Cancellable } from "../ports.ts";

/** Tells whoever works for a request that its client has gone. */
export interface ClientPresence {
  readonly signal: AbortSignal;
  /** Stops following the connection, before the response is returned. */
  unfollow(): void;
  /** The client stopped reading the response. */
  abandon(): void;
}

/**
 * Follows a request's connection, and a stop of the registry, until its response is returned;
 * afterwards the end of the response body says whether the client is still there. The request's own
 * signal would not do throughout: Deno aborts it after every response, successful ones included.
 */
export function followClient(request: Request, stop: Cancellable): ClientPresence {
  const controller = new AbortController();
  const followed = [request.signal, stop.signal];
  const abandon = () => controller.abort(new DOMException("the client went away", "AbortError"));
  for (const signal of followed) {
    if (signal.aborted) abandon();
    else signal.addEventListener("abort", abandon, { once: true });
  }
  return {
    signal: controller.signal,
    unfollow: () => followed.forEach((signal) => signal.removeEventListener("abort", abandon)),
    abandon,
  };
}
