/** Size from which another copy matters, bytes. */
const LARGE_BYTES = 128 * 1024;

/** A response whose body is in memory: sent in one piece, without a stream. */
export class WholeResponse extends Response {
  /** The body; null: none. */
  readonly whole: Uint8Array<ArrayBuffer> | string | null;
  /** The headers as given. */
  readonly fields: Readonly<Record<string, string>>;

  constructor(
    whole: Uint8Array<ArrayBuffer> | string | null,
    { status, headers }: {
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    },
  ) {
    super(bodyOf(whole), { status, headers });
    this.whole = whole;
    this.fields = headers;
  }
}

/** The body for readers of a plain `Response`, which would copy it. */
function bodyOf(whole: WholeResponse["whole"]): BodyInit | null {
  if (!(whole instanceof Uint8Array) || whole.length < LARGE_BYTES) return whole;
  return new ReadableStream({
    pull: (controller) => {
      controller.enqueue(whole);
      controller.close();
    },
  }, { highWaterMark: 0 });
}
