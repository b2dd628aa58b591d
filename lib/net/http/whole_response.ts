/** A response whose body is in memory: sent in one piece, without a stream in between. */
export class WholeResponse extends Response {
  /** The body; null: there is none. */
  readonly whole: Uint8Array<ArrayBuffer> | string | null;
  /** Its headers as they were given. */
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
