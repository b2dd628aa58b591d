import { deadline } from "../../async/deadline.ts";
import { messageOf } from "../../async/thrown.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { grpcFrame, grpcMessages } from "./grpc_frames.ts";
import type { Method } from "./methods.ts";

/** Settings of a {@link ContainerdClient}. */
export interface ContainerdClientOptions {
  /** containerd namespace that every call names. Kubernetes uses `k8s.io`. */
  readonly namespace: string;
  /** Time limit of a call that sets none of its own, ms; default 1,000. */
  readonly callTimeoutMs?: number;
}

/** Settings of one call. */
export interface CallSettings extends Cancellable {
  /** Time limit, ms; default: the client's. `Infinity` for streams that have no end of their own. */
  readonly timeoutMs?: number;
}

/** gRPC status codes that matter here, by their names. */
const STATUS = {
  CANCELLED: 1,
  UNKNOWN: 2,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** A call that containerd refused or that did not reach it. */
export class ContainerdError extends Error {
  override readonly name = "ContainerdError";
  /** gRPC status code. */
  readonly code: number;

  constructor(path: string, code: number, details: string, cause?: unknown) {
    const status = Object.entries(STATUS).find(([, value]) => value === code)?.[0] ?? code;
    super(`containerd call ${path} failed: ${status}: ${details}`, { cause });
    this.code = code;
  }

  /** True if containerd answered that there is no such thing. */
  get notFound(): boolean {
    return this.code === STATUS.NOT_FOUND;
  }

  /** True if it is not known what containerd would have answered: it is away, or too slow. */
  get unanswered(): boolean {
    return this.code === STATUS.UNAVAILABLE || this.code === STATUS.DEADLINE_EXCEEDED ||
      this.code === STATUS.CANCELLED;
  }

  /** True if containerd does not offer the method, e.g. because a plugin is disabled. */
  get unimplemented(): boolean {
    return this.code === STATUS.UNIMPLEMENTED;
  }
}

/**
 * Image lists of nodes with thousands of images exceed gRPC's default of 4 MiB for one message;
 * containerd itself sends at most 16 MiB unless configured otherwise.
 */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** What the runtime puts before the reason of a failed request. */
const URL_OF_REQUEST = /(error sending request|fetch failed).* for url \(\S*\): /;
/** Longest time that a timer can be set to: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls containerd over its unix socket: gRPC over HTTP/2, by the runtime's own HTTP client, which
 * connects with the first call and anew with the next one after a connection broke. While containerd
 * is away calls fail at once.
 *
 * `fetch` shows no trailers. So an error that comes after messages of a stream looks like the
 * stream's end, and whoever reads a stream checks that it is complete; an error instead of messages
 * is in the headers, and a broken connection is an error of the body.
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

  /** The namespace that every call names. */
  get namespace(): string {
    return this.#namespace;
  }

  /**
   * Makes a call with one answer.
   *
   * @throws {ContainerdError} if it fails or its time is up.
   */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    settings: CallSettings,
  ): Promise<Response> {
    // Read to its end: to leave earlier would reset a stream that is about to end by itself.
    const [response] = await Array.fromAsync(this.stream(method, request, settings));
    if (response !== undefined) return response;
    throw new ContainerdError(method.path, STATUS.UNKNOWN, "no answer");
  }

  /**
   * Makes a call that is answered by a stream. The messages are read no faster than they are
   * consumed; leaving the iteration ends the call.
   *
   * @throws {ContainerdError} if it fails or its time is up.
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

  /** Ends the connection; calls under way fail. */
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

/** `grpc-message` is percent-encoded; what is not properly so is shown as it is. */
function percentDecoded(message: string | null): string {
  try {
    return decodeURIComponent(message ?? "");
  } catch {
    return message ?? "";
  }
}

/**
 * Reads a body. It is cancelled here when the signal aborts: to older Deno the signal of a request
 * can be lost once the body has begun (its follower is collected as garbage).
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
