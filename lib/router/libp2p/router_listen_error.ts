import { messageOf } from "../../async/thrown.ts";
import { formatHostPort } from "../../net/host_port.ts";

/** System errors, by name or number, which the library embeds in its messages. */
const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/EADDRINUSE|os error 98\b/, "the address is already in use"],
  [/EADDRNOTAVAIL|os error 99\b/, "no interface has this address"],
  [/EACCES|os error 13\b/, "permission denied"],
];

/** The router cannot listen at its address. */
export class RouterListenError extends Error {
  override readonly name = "RouterListenError";

  /**
   * @param cause the library's error.
   * @param what the part of the router.
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
