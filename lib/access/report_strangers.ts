import { canonicalIp } from "../net/ip.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Router } from "../ports/router.ts";
import type { IsLocalClient } from "./local_clients.ts";

/** Between two reports. */
const REPORT_EVERY_MS = 60_000;

/**
 * Reports addresses that are no local client's, once a minute at most: if connections of the local
 * containerd come from an unexpected address, every pull works, but without this agent. Other nodes
 * are not reported: `eddy doctor` there asks as their containerd would.
 */
export class StrangerReports {
  readonly #isLocalClient: IsLocalClient;
  readonly #runtime: Pick<Runtime, "clock" | "log">;
  #router: Pick<Router, "peers"> | undefined;
  #reportedAt = -Infinity;

  constructor(isLocalClient: IsLocalClient, runtime: Pick<Runtime, "clock" | "log">) {
    this.#isLocalClient = isLocalClient;
    this.#runtime = runtime;
  }

  /** Knows other nodes by this router; before this call, none. */
  attach(router: Pick<Router, "peers">): void {
    this.#router = router;
  }

  /** The same test, with reports. */
  readonly isLocalClient: IsLocalClient = (address) => {
    if (this.#isLocalClient(address)) return true;
    const { clock, log } = this.#runtime;
    if (clock.now() - this.#reportedAt < REPORT_EVERY_MS || this.#isPeer(address)) return false;
    this.#reportedAt = clock.now();
    log.warn("not a local client: gets at most held content that is known to be public", {
      address,
      fix: "if containerd of this node connects from there: --local-clients",
    });
    return false;
  };

  #isPeer(address: string): boolean {
    const canonical = canonicalIp(address);
    const peers = this.#router?.peers() ?? [];
    return peers.some(({ addresses }) => addresses.some((each) => canonicalIp(each) === canonical));
  }
}
