import { AGENT, ALL, CONFIGURATION, MIRROR, option, unset } from "./option.ts";
import { boolean, listenAddress, oneOf, path } from "./types.ts";

/** Where the agent listens, what it keeps and what it logs. */
export const AGENT_OPTIONS = {
  registryAddr: option({
    type: listenAddress(),
    default: ":5000",
    placeholder: "HOST:PORT",
    help: "Listen address of the registry endpoint that containerd and peers pull from. The port " +
      "must be the same on every node.",
    commands: MIRROR,
  }),
  routerAddr: option({
    type: listenAddress(),
    default: ":5001",
    placeholder: "HOST:PORT",
    help: "Listen address of the peer-to-peer router (TCP).",
    commands: AGENT,
  }),
  metricsAddr: option({
    type: listenAddress(),
    default: ":9090",
    placeholder: "HOST:PORT",
    help: "Listen address for Prometheus metrics, probes and debug pages.",
    commands: AGENT,
  }),
  debugWebEnabled: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Serve the debug pages at /debug/ on the metrics address.",
    commands: AGENT,
  }),
  spegelMetrics: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Also export metrics under Spegel's names, for existing dashboards and alerts.",
    commands: AGENT,
  }),
  dataDir: unset({
    type: path(),
    defaultText: "none, nothing survives a restart",
    placeholder: "DIR",
    help: "Directory for state that survives a restart: the node's peer identity, and what the " +
      "node knows about the visibility of repositories. `cleanup` removes these files from it.",
    commands: [...AGENT, "cleanup"],
  }),
  logLevel: option({
    type: oneOf("debug", "info", "warn", "error"),
    default: "info",
    placeholder: "LEVEL",
    help: "Minimum log level: `debug`, `info`, `warn` or `error`.",
    commands: ALL,
  }),
  config: unset({
    type: path(),
    placeholder: "FILE",
    help: "YAML file with options, keyed by flag name without the dashes. Flags and environment " +
      "variables take precedence.",
    commands: CONFIGURATION,
  }),
};
