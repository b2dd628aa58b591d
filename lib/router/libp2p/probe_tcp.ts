import { connect } from "node:net";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { IpPort } from "./address.ts";

/**
 * Tells whether any of the endpoints accepts a TCP connection before the signal aborts. The kernel
 * accepts one however busy the process is, so this distinguishes a dead host or process from a slow
 * one. Never rejects.
 */
export async function probeTcp(
  endpoints: readonly IpPort[],
  options: Cancellable,
): Promise<boolean> {
  const attempts = endpoints.map((endpoint) => connects(endpoint, options));
  return await Promise.any(attempts).then(() => true, () => false);
}

function connects({ ip, port }: IpPort, { signal }: Cancellable): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = connect({ host: ip, port });
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = () => end(() => reject(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", () => end(resolve));
    socket.once("error", (error) => end(() => reject(error)));
  });
}
