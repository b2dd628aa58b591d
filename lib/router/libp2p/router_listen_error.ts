import { messageOf } from "../../async/thrown.ts";
import { formatHostPort } from "../../net/host_port.ts";

/** Errors of the system, by name or number, which the library has in the middle of its messages. */
const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/EADDRINUSE|os error 98\b/, "the address is already in use"],
  [/EADDRNOTAVAIL|os error 99\b/, "no interface has this address"],
  [/EACCES|os error 13\b/, "permission denied"],
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
    const text = messageOf(cause);
    const known = REASONS.find(([pattern]) => pattern.test(text))?.[1];
    const reason = known ?? text.split("\n")[0];
    super(`${what} cannot listen on ${formatHostPort(host, port)}: ${reason}`, { cause });
  }
}
