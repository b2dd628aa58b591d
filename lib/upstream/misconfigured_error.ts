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
  "`ca`, `client` or `skip_verify` for the server in its hosts.toml, as containerd needs it";

/**
 * Converts a TLS failure to a {@link MisconfiguredError}: an invalid certificate, a missing client
 * certificate, a server without TLS. Undefined for any other failure.
 */
export function asTlsFault(error: unknown): MisconfiguredError | undefined {
  const messages = [error, error instanceof Error ? error.cause : undefined]
    .map((each) => each instanceof Error ? each.message : "");
  const message = messages.find((text) => TLS_FAULT.test(text));
  return message === undefined ? undefined : new MisconfiguredError(message, TLS_FIX);
}

/** Messages of rustls, as passed on by the runtime. */
const TLS_FAULT = /invalid peer certificate|received fatal alert|received corrupt message/i;
