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
    super(whole, { status, headers });
    this.whole = whole;
    this.fields = headers;
  }
}
