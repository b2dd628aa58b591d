import type { HostileCase } from "../hostile_case.ts";

export const REQUESTS = {
  loopbackNames: {
    what:
      "Names a service on the node's own loopback as the registry, in every way to write its address",
    withKey: "404; not connected to",
    without: "404; not connected to",
  },
  rebindingRegistry: {
    what:
      "Names a registry whose name server gives an address elsewhere first, then the node's loopback",
    withKey: "not connected to",
    without: "not connected to",
  },
  rebindingToken: {
    what: "Runs a registry whose token server has such a name",
    withKey: "not connected to",
    without: "not connected to",
  },
  reasons: {
    what: "Compares what a node answers about open and closed ports of its loopback",
    withKey: "404 for all, without a reason",
    without: "404 for all, without a reason",
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
