import type { Runtime } from "../ports/runtime.ts";
import type { IsLocalClient } from "./local_clients.ts";

/** Between two reports. */
const REPORT_EVERY_MS = 60_000;

/**
 * The same test, which also reports addresses that fail it, once a minute at most: if connections
 * of the local containerd come from an unexpected address, every pull works, but without this
 * agent.
 */
export function reportStrangers(
  isLocalClient: IsLocalClient,
  { clock, log }: Pick<Runtime, "clock" | "log">,
): IsLocalClient {
  let reportedAt = -Infinity;
  return (address) => {
    if (isLocalClient(address)) return true;
    if (clock.now() - reportedAt >= REPORT_EVERY_MS) {
      reportedAt = clock.now();
      log.warn("not a local client: gets at most what is held here and known to be public", {
        address,
        fix: "if containerd of this node connects from there: --local-clients",
      });
    }
    return false;
  };
}
