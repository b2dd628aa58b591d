/** Errors of the system, by their codes, which the library has in the middle of its messages. */
const REASONS: readonly (readonly [code: string, reason: string])[] = [
  ["EADDRINUSE", "the address is already in use"],
  ["EADDRNOTAVAIL", "no interface has this address"],
  ["EACCES", "permission denied"],
];

/** The router cannot listen where it should. */
export class RouterListenError extends Error {
  override readonly name = "RouterListenError";

  /**
   * @param cause what the library threw.
   * @param what which part of the router.
   */
  constructor(
    { host, port }: { readonly host: string; readonly port: number },
    cause: unknown,
    what = "router",
  ) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const known = REASONS.find(([code]) => text.includes(code))?.[1];
    const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    super(`${what} cannot listen on ${address}: ${known ?? text.split("\n")[0]}`, { cause });
  }
}
