import { AGENT, option, unset } from "./option.ts";
import { boolean, text } from "./types.ts";

/** What the agent does with the API server. */
export const KUBERNETES_OPTIONS = {
  kubeconfig: unset({
    type: text("the path of a kubeconfig"),
    defaultText: "the service account of the pod",
    placeholder: "FILE",
    help: "How to reach the API server, for the features that need it.",
    commands: AGENT,
  }),
  nodeName: unset({
    type: text("the name of a node"),
    placeholder: "NAME",
    help: "Name of this node in Kubernetes, such as the downward API gives it.",
    commands: AGENT,
  }),
  nodeTopology: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Learn this node's zone and region from its labels; needs --node-name.",
    commands: AGENT,
  }),
  startupTaint: unset({
    type: text("the key of a taint"),
    placeholder: "KEY",
    help:
      "Taint to remove from this node once the agent is ready and the mirror configuration is " +
      "in place; needs --node-name.",
    commands: AGENT,
  }),
};
