import { AGENT, option, unset } from "./option.ts";
import { boolean, text } from "./types.ts";

/** What the agent does with the API server. */
export const KUBERNETES_OPTIONS = {
  kubeconfig: unset({
    type: text("the path of a kubeconfig"),
    defaultText: "the pod's service account",
    placeholder: "FILE",
    help: "kubeconfig for the features that use the API server.",
    commands: [...AGENT, "cleanup-wait"],
  }),
  nodeName: unset({
    type: text("the name of a node"),
    placeholder: "NAME",
    help: "Name of this node in Kubernetes, as the downward API provides it.",
    commands: AGENT,
  }),
  nodeTopology: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Read this node's zone and region from its labels. Requires `--node-name`.",
    commands: AGENT,
  }),
  startupTaint: unset({
    type: text("the key of a taint"),
    placeholder: "KEY",
    help:
      "Taint to remove from this node once the agent is ready and the mirror configuration is " +
      "written. Requires `--node-name`.",
    commands: AGENT,
  }),
};
