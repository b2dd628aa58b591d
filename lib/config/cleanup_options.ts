import { DAY_MS, option, unset } from "./option.ts";
import { duration, integer, listenAddress, text } from "./types.ts";

/** What the commands take that clean up all nodes of a cluster; Spegel's names. */
export const CLEANUP_OPTIONS = {
  addr: unset({
    type: listenAddress(),
    placeholder: "HOST:PORT",
    help: "Address to answer /readyz at once all is restored, until told to stop, so that " +
      "cleanup-wait sees it; without it the command just ends.",
    commands: ["cleanup"],
  }),
  probeEndpoint: unset({
    type: text("HOST:PORT"),
    placeholder: "HOST:PORT",
    help: "Name whose addresses are all nodes that clean up, such as a headless service, and the " +
      "port of their --addr.",
    commands: ["cleanup-wait"],
  }),
  threshold: option({
    type: integer(1, 1000),
    default: "3",
    placeholder: "N",
    help: "How often in a row all nodes must have answered.",
    commands: ["cleanup-wait"],
  }),
  period: option({
    type: duration(1, DAY_MS),
    default: "2s",
    placeholder: "DURATION",
    help: "How often the nodes are asked.",
    commands: ["cleanup-wait"],
  }),
};
