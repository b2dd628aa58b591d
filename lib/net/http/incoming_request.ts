import { lazyHeaders } from "./lazy_headers.ts";
import type { RequestHead } from "./request_head.ts";

/** A request whose client is followed. */
export interface IncomingRequest {
  readonly request: Request;
  /** The client has gone, or its connection ends. */
  gone(): void;
}

/**
 * A request for handlers. What of it costs time is made when it is asked for, which the usual
 * answer does not need; that takes as long as all the rest.
 */
export function incomingRequest(
  { method, target, host, fields }: RequestHead,
  { scheme, defaultHost }: { readonly scheme: string; readonly defaultHost: string },
): IncomingRequest {
  const request = new LazyRequest(method, `${scheme}://${host || defaultHost}${target}`, fields);
  // It has what handlers use of a Request; the rest, bodies, says that it is none.
  return { request: request as unknown as Request, gone: () => request.gone() };
}

class LazyRequest {
  readonly method: string;
  readonly url: string;
  readonly #fields: RequestHead["fields"];
  #headers: Headers | undefined;
  #controller: AbortController | undefined;
  #gone = false;

  constructor(method: string, url: string, fields: RequestHead["fields"]) {
    this.method = method;
    this.url = url;
    this.#fields = fields;
  }

  get headers(): Headers {
    return this.#headers ??= lazyHeaders(this.#fields);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#gone) this.gone();
    }
    return this.#controller.signal;
  }

  gone(): void {
    this.#gone = true;
    this.#controller?.abort(new DOMException("the client went away", "AbortError"));
  }
}

Object.setPrototypeOf(LazyRequest.prototype, Request.prototype);
