import { DAY_MS, option, unset } from "./option.ts";
import { duration, integer, listenAddress, text } from "./types.ts";

/** What the commands take that clean up all nodes of a cluster; Spegel's names. */
export const CLEANUP_OPTIONS = {
  addr: unset({
    type: listenAddress(),
    placeholder: "HOST:PORT",
    help: "Listen address for /readyz. The command then keeps running after the restore, so that " +
      "cleanup-wait sees it; without it, the command exits.",
    commands: ["cleanup"],
  }),
  probeEndpoint: unset({
    type: text("HOST:PORT"),
    placeholder: "HOST:PORT",
    help: "Name that resolves to all nodes that clean up, such as a headless service, and the " +
      "port of their `--addr`.",
    commands: ["cleanup-wait"],
  }),
  probeDaemonset: unset({
    type: text("NAMESPACE/NAME"),
    placeholder: "NAMESPACE/NAME",
    help:
      "DaemonSet of the pods that clean up, as the API server has it. All nodes that it is to " +
      "run on must answer, and those that do not are named; `--probe-endpoint` then gives the " +
      "port alone. Without it, only pods that the name resolves to are waited for.",
    commands: ["cleanup-wait"],
  }),
  threshold: option({
    type: integer(1, 1000),
    default: "3",
    placeholder: "N",
    help: "Number of consecutive rounds in which all nodes must answer.",
    commands: ["cleanup-wait"],
  }),
  period: option({
    type: duration(1, DAY_MS),
    default: "2s",
    placeholder: "DURATION",
    help: "Interval between these rounds.",
    commands: ["cleanup-wait"],
  }),
  timeout: option({
    type: duration(1, DAY_MS),
    default: "5m",
    placeholder: "DURATION",
    help: "Time after which the command gives up, names the nodes that are missing and exits 1.",
    commands: ["cleanup-wait"],
  }),
};
