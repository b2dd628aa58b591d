/**
 * Error codes of the OCI distribution specification, section "Error Codes".
 */
export type OciErrorCode =
  | "BLOB_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNSUPPORTED";

/** Settings of an {@link OciError}. */
export interface OciErrorOptions {
  /** HTTP status that the error is answered with. */
  status: number;
  /** Machine-readable detail, put into the body as it is; must be JSON-serialisable. */
  detail?: unknown;
  /** Headers of the answer, such as a challenge. */
  headers?: Readonly<Record<string, string>>;
  /** What led to the error; never shown to the client. */
  cause?: unknown;
}

/** An error that a registry client may see: code, message and HTTP status. */
export class OciError extends Error {
  override readonly name = "OciError";
  readonly code: OciErrorCode;
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: OciErrorCode, message: string, options: OciErrorOptions) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
  }

  /** The JSON body that the distribution specification asks for; the detail is optional in it. */
  toBody(
    withDetail = true,
  ): { errors: { code: OciErrorCode; message: string; detail?: unknown }[] } {
    const entry = { code: this.code, message: this.message };
    const isPlain = !withDetail || this.detail === undefined;
    return { errors: [isPlain ? entry : { ...entry, detail: this.detail }] };
  }
}
