import { deadline } from "../../async/deadline.ts";
import { messageOf } from "../../async/thrown.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { grpcFrame, grpcMessages } from "./grpc_frames.ts";
import type { Method } from "./methods.ts";

export interface ContainerdClientOptions {
  /** containerd namespace of every call; Kubernetes uses `k8s.io`. */
  readonly namespace: string;
  /** Default deadline of a call, ms; default 1,000. */
  readonly callTimeoutMs?: number;
}

export interface CallSettings extends Cancellable {
  /** Deadline, ms; default: the client's. `Infinity` for endless streams. */
  readonly timeoutMs?: number;
}

/** The gRPC status codes used here. */
const STATUS = {
  CANCELLED: 1,
  UNKNOWN: 2,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** A call that containerd rejected or that did not reach it. */
export class ContainerdError extends Error {
  override readonly name = "ContainerdError";
  /** gRPC status code. */
  readonly code: number;

  constructor(path: string, code: number, details: string, cause?: unknown) {
    const status = Object.entries(STATUS).find(([, value]) => value === code)?.[0] ?? code;
    super(`containerd call ${path} failed: ${status}: ${details}`, { cause });
    this.code = code;
  }

  /** True if containerd answered NOT_FOUND. */
  get notFound(): boolean {
    return this.code === STATUS.NOT_FOUND;
  }

  /** True if containerd answered ALREADY_EXISTS. */
  get alreadyExists(): boolean {
    return this.code === STATUS.ALREADY_EXISTS;
  }

  /** True if containerd gave no answer: it is down or too slow. */
  get unanswered(): boolean {
    return this.code === STATUS.UNAVAILABLE || this.code === STATUS.DEADLINE_EXCEEDED ||
      this.code === STATUS.CANCELLED;
  }

  /** True if containerd lacks the method, e.g. because a plugin is disabled. */
  get unimplemented(): boolean {
    return this.code === STATUS.UNIMPLEMENTED;
  }
}

/**
 * Image lists of nodes with thousands of images exceed gRPC's default limit of 4 MiB a message;
 * containerd itself sends at most 16 MiB unless configured otherwise.
 */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** The runtime's prefix of the reason of a failed request. */
const URL_OF_REQUEST = /(error sending request|fetch failed).* for url \(\S*\): /;
/** Longest delay of a timer: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls containerd over its unix socket: gRPC over HTTP/2 by the runtime's HTTP client, which
 * connects with the first call and reconnects with the first call after a broken connection. While
 * containerd is down calls fail at once.
 *
 * `fetch` does not expose trailers: an error after the first message of a stream looks like the
 * stream's end, so readers of a stream must check that it is complete. An error before the first
 * message is in the headers, and a broken connection is an error of the body.
 */
export class ContainerdClient {
  readonly #socketPath: string;
  readonly #http: Deno.HttpClient;
  readonly #namespace: string;
  readonly #callTimeoutMs: number;
  readonly #calls = new Set<AbortController>();
  #closed = false;

  constructor(socketPath: string, options: ContainerdClientOptions) {
    this.#socketPath = socketPath;
    this.#namespace = options.namespace;
    this.#callTimeoutMs = options.callTimeoutMs ?? 1_000;
    this.#http = Deno.createHttpClient({
      proxy: { transport: "unix", path: socketPath },
      http1: false,
      http2: true,
    });
  }

  /** The namespace of every call. */
  get namespace(): string {
    return this.#namespace;
  }

  /**
   * Makes a unary call.
   *
   * @throws {ContainerdError} if it fails or misses its deadline.
   */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    settings: CallSettings,
  ): Promise<Response> {
    // Read to the end: leaving earlier would reset a stream that is about to end.
    const [response] = await Array.fromAsync(this.stream(method, request, settings));
    if (response !== undefined) return response;
    throw new ContainerdError(method.path, STATUS.UNKNOWN, "no answer");
  }

  /**
   * Makes a server-streaming call. Messages are read as fast as they are consumed; leaving the
   * iteration cancels the call.
   *
   * @throws {ContainerdError} if it fails or misses its deadline.
   */
  async *stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { signal, timeoutMs = this.#callTimeoutMs }: CallSettings,
  ): AsyncGenerator<Response, void, undefined> {
    signal.throwIfAborted();
    using limit = deadline(Math.min(timeoutMs, LONGEST_TIMER_MS), { signal });
    const call = new AbortController();
    const abort = () => call.abort(limit.signal.reason);
    limit.signal.addEventListener("abort", abort, { once: true });
    this.#calls.add(call);
    try {
      const frame = grpcFrame(method.request.encode(request));
      const body = await this.#send(method.path, frame, call.signal);
      for await (const message of grpcMessages(chunks(body, call.signal), MAX_MESSAGE_BYTES)) {
        yield method.response.decode(message);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw this.#failure(method.path, error, call.signal);
    } finally {
      this.#calls.delete(call);
    }
  }

  /** Closes the connection; calls in flight fail. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const call of this.#calls) call.abort(new DOMException("client is closed", "AbortError"));
    this.#http.close();
  }

  async #send(
    path: string,
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const response = await fetch(`http://containerd${path}`, {
      client: this.#http,
      method: "POST",
      headers: {
        "content-type": "application/grpc",
        "te": "trailers",
        "containerd-namespace": this.#namespace,
      },
      body,
      signal,
    });
    const status = Number(response.headers.get("grpc-status") ?? 0);
    if (response.ok && status === 0 && response.body !== null) return response.body;
    await response.body?.cancel();
    if (status === 0) {
      throw new ContainerdError(path, STATUS.UNKNOWN, `HTTP status ${response.status}`);
    }
    throw new ContainerdError(path, status, percentDecoded(response.headers.get("grpc-message")));
  }

  #failure(path: string, error: unknown, { aborted, reason }: AbortSignal): ContainerdError {
    if (error instanceof ContainerdError) return error;
    if (aborted) {
      const late = reason instanceof DOMException && reason.name === "TimeoutError";
      const code = late ? STATUS.DEADLINE_EXCEEDED : STATUS.CANCELLED;
      return new ContainerdError(path, code, String(reason?.message ?? reason), error);
    }
    if (error instanceof RangeError) {
      return new ContainerdError(path, STATUS.INTERNAL, error.message, error);
    }
    const message = messageOf(error);
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : "";
    const why = `${message}${cause && `: ${cause}`}`.replace(URL_OF_REQUEST, "");
    return new ContainerdError(path, STATUS.UNAVAILABLE, `${this.#socketPath}: ${why}`, error);
  }
}

/** `grpc-message` is percent-encoded; a malformed one is shown as is. */
function percentDecoded(message: string | null): string {
  try {
    return decodeURIComponent(message ?? "");
  } catch {
    return message ?? "";
  }
}

/**
 * Reads a body. It is cancelled here when the signal aborts: older Deno can lose a request's signal
 * once the body has begun (the follower signal is garbage collected).
 */
async function* chunks(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  const cancel = () => reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  try {
    while (true) {
      const { value, done } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    await cancel();
  }
}
