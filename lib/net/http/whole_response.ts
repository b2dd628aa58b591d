/** Size from which another copy matters, bytes. */
const LARGE_BYTES = 128 * 1024;

/**
 * A response whose body is in memory: sent in one piece, without a stream. The runtime's object is
 * made only for whoever reads it as any other response: it takes a tenth of a small answer's time.
 */
class LazyResponse {
  /** The body; null: none. */
  readonly whole: Uint8Array<ArrayBuffer> | string | null;
  readonly status: number;
  /** The headers as given. */
  readonly fields: Readonly<Record<string, string>>;
  #response: Response | undefined;

  constructor(
    whole: Uint8Array<ArrayBuffer> | string | null,
    { status, headers }: {
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    },
  ) {
    this.whole = whole;
    this.status = status;
    this.fields = headers;
  }

  get headers(): Headers {
    return this.#made.headers;
  }

  get ok(): boolean {
    return this.#made.ok;
  }

  get statusText(): string {
    return this.#made.statusText;
  }

  get body(): Response["body"] {
    return this.#made.body;
  }

  get bodyUsed(): boolean {
    return this.#made.bodyUsed;
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#made.arrayBuffer();
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#made.bytes();
  }

  json(): Promise<unknown> {
    return this.#made.json();
  }

  text(): Promise<string> {
    return this.#made.text();
  }

  get #made(): Response {
    const { whole, status, fields } = this;
    return this.#response ??= new Response(bodyOf(whole), { status, headers: fields });
  }
}

Object.setPrototypeOf(LazyResponse.prototype, Response.prototype);

/** {@inheritDoc LazyResponse} */
export type WholeResponse = Response & Pick<LazyResponse, "whole" | "fields">;
/** {@inheritDoc LazyResponse} */
export const WholeResponse = LazyResponse as unknown as new (
  ...args: ConstructorParameters<typeof LazyResponse>
) => WholeResponse;

/** The body for readers of a plain `Response`, which would copy it. */
function bodyOf(whole: LazyResponse["whole"]): BodyInit | null {
  if (!(whole instanceof Uint8Array) || whole.length < LARGE_BYTES) return whole;
  return new ReadableStream({
    pull: (controller) => {
      controller.enqueue(whole);
      controller.close();
    },
  }, { highWaterMark: 0 });
}
