import { type CallOptions, Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { Cancellable } from "../../ports.ts";
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

/** A call that containerd refused or that did not reach it. */
export class ContainerdError extends Error {
  override readonly name = "ContainerdError";
  /** gRPC status code. */
  readonly code: number;

  constructor(path: string, code: number, details: string, cause: unknown) {
    super(`containerd call ${path} failed: ${status[code] ?? code}: ${details}`, { cause });
    this.code = code;
  }

  /** True if containerd answered that there is no such thing. */
  get notFound(): boolean {
    return this.code === status.NOT_FOUND;
  }

  /** True if it is not known what containerd would have answered: it is away, or too slow. */
  get unanswered(): boolean {
    return this.code === status.UNAVAILABLE || this.code === status.DEADLINE_EXCEEDED ||
      this.code === status.CANCELLED;
  }

  /** True if containerd does not offer the method, e.g. because a plugin is disabled. */
  get unimplemented(): boolean {
    return this.code === status.UNIMPLEMENTED;
  }
}

/**
 * Image lists of nodes with thousands of images exceed gRPC's default of 4 MiB for one message;
 * containerd itself sends at most 16 MiB unless configured otherwise.
 */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/**
 * Calls containerd over its unix socket. It connects with the first call. While containerd is away
 * calls fail at once rather than wait, and connecting is tried again at least every 0.5 s: the
 * library's own default waits up to 2 minutes, which would keep a restarted containerd unused.
 */
export class ContainerdClient {
  readonly #client: Client;
  readonly #namespace: string;
  readonly #callTimeoutMs: number;

  constructor(socketPath: string, options: ContainerdClientOptions) {
    this.#namespace = options.namespace;
    this.#callTimeoutMs = options.callTimeoutMs ?? 1_000;
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.min_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 500,
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.enable_http_proxy": 0,
      "grpc.service_config_disable_resolution": 1,
      // Two clients of one socket would else share a connection, and one's close disturb the other.
      "grpc.use_local_subchannel_pool": 1,
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
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    settings: CallSettings,
  ): Promise<Response> {
    const { signal } = settings;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        reject(signal.reason);
        call.cancel();
      };
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.request.encode,
        method.response.decode,
        request,
        this.#metadata(),
        this.#callOptions(settings),
        (error, response) => {
          signal.removeEventListener("abort", onAbort);
          if (error === null && response !== undefined) return resolve(response);
          reject(failure(method.path, error, signal));
        },
      );
      signal.addEventListener("abort", onAbort, { once: true });
    });
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
    settings: CallSettings,
  ): AsyncGenerator<Response, void, undefined> {
    const { signal } = settings;
    signal.throwIfAborted();
    const call = this.#client.makeServerStreamRequest(
      method.path,
      method.request.encode,
      method.response.decode,
      request,
      this.#metadata(),
      this.#callOptions(settings),
    );
    const onAbort = () => {
      // Destroyed as well as cancelled, so that the iteration ends without the server's doing.
      call.cancel();
      call.destroy(new Error("call was aborted", { cause: signal.reason }));
    };
    // The end of the call below may still raise an error event when nobody iterates any more.
    call.on("error", () => {});
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for await (const message of call) yield message;
    } catch (error) {
      throw failure(method.path, error, signal);
    } finally {
      signal.removeEventListener("abort", onAbort);
      call.cancel();
    }
  }

  /** Ends the connection; calls under way fail. */
  close(): void {
    this.#client.close();
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    metadata.set("containerd-namespace", this.#namespace);
    return metadata;
  }

  #callOptions({ timeoutMs = this.#callTimeoutMs }: CallSettings): CallOptions {
    return timeoutMs === Infinity ? {} : { deadline: Date.now() + timeoutMs };
  }
}

function failure(path: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (!(error instanceof Error)) {
    return new ContainerdError(path, status.UNKNOWN, "no answer", error);
  }
  const { code = status.UNKNOWN, details = error.message } = error as {
    code?: unknown;
    details?: string;
  };
  return new ContainerdError(
    path,
    typeof code === "number" ? code : status.UNKNOWN,
    details,
    error,
  );
}
