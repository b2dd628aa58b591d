/**
 * A server can never be asked the way it is configured, which no waiting mends.
 */
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
 * A failure of TLS as a {@link MisconfiguredError}: a certificate that cannot be verified, a client
 * certificate that is missing, a server that does not speak TLS. Undefined for any other failure.
 */
export function asTlsFault(error: unknown): MisconfiguredError | undefined {
  const messages = [error, error instanceof Error ? error.cause : undefined]
    .map((each) => each instanceof Error ? each.message : "");
  const message = messages.find((text) => TLS_FAULT.test(text));
  return message === undefined ? undefined : new MisconfiguredError(message, TLS_FIX);
}

/** The words of rustls, which the runtime passes on. */
const TLS_FAULT = /invalid peer certificate|received fatal alert|received corrupt message/i;
