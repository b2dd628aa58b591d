/** A server cannot be asked as it is configured; waiting does not help. */
export class MisconfiguredError extends Error {
  override readonly name = "MisconfiguredError";
  /** What to do about it. */
  readonly fix: string;

  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.fix = fix;
  }
}

const TLS_FIX =
  "`ca`, `client` or `skip_verify` for the server in its hosts.toml, as containerd needs it, or an " +
  "authority that the node trusts in --upstream-ca";
const OWN_AUTHORITY_FIX =
  "this runtime does not take a server's own certificate as `ca`: let another certificate sign it " +
  "and name that one, or set `skip_verify` for the server in its hosts.toml";

/**
 * Converts a TLS failure to a {@link MisconfiguredError}: an invalid certificate, a missing client
 * certificate, a server without TLS. Undefined for any other failure.
 */
export function asTlsFault(error: unknown): MisconfiguredError | undefined {
  if (error instanceof MisconfiguredError) return error;
  const errors = [error, error instanceof Error ? error.cause : undefined];
  const fault = errors.find((each) => each instanceof Error && isTlsFault(each));
  if (!(fault instanceof Error)) return undefined;
  const fix = isOwnAuthority(fault) ? OWN_AUTHORITY_FIX : TLS_FIX;
  return new MisconfiguredError(fault.message, fix, { cause: error });
}

/** The fault of a server that broke off the TLS handshake without a reason that arrived. */
export function brokenHandshake(cause: unknown): MisconfiguredError {
  return new MisconfiguredError("the server broke off the TLS handshake", TLS_FIX, { cause });
}

/**
 * Tells whether TLS failed because a server's certificate is a CA certificate as well (by rustls'
 * message).
 */
export function isOwnAuthority(error: unknown): boolean {
  return error instanceof Error && /CaUsedAsEndEntity/.test(error.message);
}

/** Tells whether a TLS handshake failed because the server speaks something else, such as HTTP. */
export function isNotTls(error: unknown): boolean {
  return error instanceof Error &&
    (/InvalidContentType/.test(error.message) || isNotTls(error.cause));
}

function isTlsFault({ message, code }: Error & { readonly code?: unknown }): boolean {
  return TLS_FAULT.test(message) || (typeof code === "string" && TLS_CODE.test(code));
}

/** Messages of rustls, as passed on by the runtime. */
const TLS_FAULT =
  /invalid peer certificate|received fatal alert|received corrupt message|\bPEM\b|private key|no keys found/i;
/** Codes of node:tls, and Deno 2.6's for any handshake failure. */
const TLS_CODE =
  /^(?:ERR_(?:TLS|SSL|OSSL)_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(?:CA|PURPOSE)|HOSTNAME_|PATH_LENGTH_|UNKNOWN$)/;
