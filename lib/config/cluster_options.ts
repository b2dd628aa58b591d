import { AGENT, option, unset } from "./option.ts";
import { boolean, listenAddress, oneOf, path, text } from "./types.ts";

/** How nodes authenticate each other, and encrypt what they send. */
export const CLUSTER_OPTIONS = {
  clusterKeyFile: unset({
    type: path(),
    defaultText: "none, private images are served on their own nodes only",
    placeholder: "FILE",
    help: "File with the key by which nodes authenticate each other, as eddy keygen prints it; a " +
      "second line may hold another valid key. With a key, nodes serve private images to each " +
      "other, and refuse whoever is neither a node nor a local client. Reloaded on change.",
    commands: AGENT,
  }),
  dhtClosed: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Restrict the DHT to nodes with the cluster key: others, Spegel's included, take no " +
      "part in it. Must be the same on every node.",
    commands: AGENT,
  }),
  peerTlsDir: unset({
    type: path(),
    defaultText: "none, images are not encrypted between nodes",
    placeholder: "DIR",
    help: "Directory with tls.crt, tls.key and ca.crt, as cert-manager and Kubernetes name them. " +
      "Nodes then pull from each other over TLS (see `--peer-tls-mode`). Reloaded on change.",
    commands: AGENT,
  }),
  peerTlsAddr: option({
    type: listenAddress(),
    default: ":5443",
    placeholder: "HOST:PORT",
    help: "Listen address for peers over TLS. The port must be the same on every node.",
    commands: AGENT,
  }),
  peerTlsMode: option({
    type: oneOf("require", "prefer"),
    default: "require",
    placeholder: "MODE",
    help: "What to do with nodes without TLS. `require` neither asks nor answers them. `prefer` " +
      "answers them, and asks them in plain text if they refuse TLS connections; use it only " +
      "while you switch TLS on.",
    commands: AGENT,
  }),
  peerTlsName: option({
    type: text("a DNS name"),
    default: "eddy",
    placeholder: "NAME",
    help: "DNS name that the certificate of every node must carry.",
    commands: AGENT,
  }),
};
