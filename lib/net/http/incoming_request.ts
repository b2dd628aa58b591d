import { lazyHeaders } from "./lazy_headers.ts";
import type { RequestHead } from "./request_head.ts";

/** A request that learns of its client's departure. */
export interface IncomingRequest {
  readonly request: Request;
  /** Signals that the client left, or that the connection ends. */
  gone(): void;
}

/**
 * Makes a request for handlers. Its expensive parts are created on first use: the usual response
 * needs none of them, and they would double the time per request.
 */
export function incomingRequest(
  { method, target, host, fields }: RequestHead,
  { scheme, defaultHost }: { readonly scheme: string; readonly defaultHost: string },
): IncomingRequest {
  const request = new LazyRequest(method, `${scheme}://${host || defaultHost}${target}`, fields);
  // It has the parts of a Request that handlers use; there is no body.
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
