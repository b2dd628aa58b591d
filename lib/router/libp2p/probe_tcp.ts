import { connect } from "node:net";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { IpPort } from "./address.ts";

/**
 * Tells whether a TCP connection can be made to any of the endpoints before the signal aborts. The
 * kernel of a host accepts one however busy the process behind it is, so this tells a host that is
 * gone, or a process that ended, from one that is late. Never rejects.
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
