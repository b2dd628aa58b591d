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

export interface OciErrorOptions {
  /** HTTP status of the response. */
  status: number;
  /** Machine-readable detail for the body; must be JSON-serialisable. */
  detail?: unknown;
  /** Headers of the response, such as a challenge. */
  headers?: Readonly<Record<string, string>>;
  /** The cause; never shown to the client. */
  cause?: unknown;
}

/** An error that is shown to registry clients: code, message and HTTP status. */
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

  /** The JSON body of the distribution specification, where the detail is optional. */
  toBody(
    withDetail = true,
  ): { errors: { code: OciErrorCode; message: string; detail?: unknown }[] } {
    const entry = { code: this.code, message: this.message };
    const isPlain = !withDetail || this.detail === undefined;
    return { errors: [isPlain ? entry : { ...entry, detail: this.detail }] };
  }
}
