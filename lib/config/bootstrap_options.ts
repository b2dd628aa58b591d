import { AGENT, DAY_MS, option, unset } from "./option.ts";
import { duration, httpUrl, list, listenAddress, oneOf, path, text } from "./types.ts";

/** How a node finds its first peers. */
export const BOOTSTRAP_OPTIONS = {
  bootstrapKind: unset({
    type: oneOf("dns", "static", "http", "kubernetes", "mdns"),
    defaultText: "none, the node stays alone",
    placeholder: "KIND",
    help:
      "How a node finds its first peers: `dns`, `static`, `http`, `kubernetes`, or `mdns` for " +
      "sites without DNS.",
    commands: AGENT,
  }),
  dnsBootstrapDomain: unset({
    type: text("a domain name"),
    placeholder: "DOMAIN",
    help: "Name whose A and AAAA records are peers, such as a headless service. For a name that " +
      "begins with an underscore, such as `_router._tcp.eddy.example`, its SRV records are.",
    commands: AGENT,
  }),
  staticBootstrapPeers: option({
    type: list(text("an address or multiaddress")),
    default: "",
    placeholder: "PEER…",
    help: "Peers as HOST[:PORT] or as multiaddresses, with or without a peer ID.",
    commands: AGENT,
    list: true,
  }),
  httpBootstrapAddr: unset({
    type: listenAddress(),
    placeholder: "HOST:PORT",
    help: "Listen address for other nodes' HTTP bootstrap, path /id.",
    commands: AGENT,
  }),
  httpBootstrapUrl: unset({
    type: httpUrl(),
    placeholder: "URL",
    help: "URL that returns peers, such as `http://10.0.0.1:5002/id`.",
    commands: AGENT,
  }),
  httpBootstrapCertDir: unset({
    type: path(),
    placeholder: "DIR",
    help: "Directory with ca.crt, tls.crt and tls.key for an https URL: its certificate " +
      "authority, and this node's client certificate.",
    commands: AGENT,
  }),
  mdnsInterfaces: option({
    type: list(text("the name of an interface")),
    default: "",
    defaultText: "all with a private address, except those of containers and tunnels",
    placeholder: "NAME…",
    help: "Network interfaces on which peers are queried by multicast DNS.",
    commands: AGENT,
    list: true,
  }),
  kubernetesBootstrapService: unset({
    type: text("the name of a service"),
    placeholder: "NAME",
    help: "Headless service whose EndpointSlices, read from the API server, are peers.",
    commands: AGENT,
  }),
  kubernetesBootstrapNamespace: unset({
    type: text("the name of a namespace"),
    defaultText: "the pod's, or that of the kubeconfig's context",
    placeholder: "NAME",
    help: "Namespace of the bootstrap service.",
    commands: AGENT,
  }),
  readyTimeout: option({
    type: duration(1, DAY_MS),
    default: "35s",
    placeholder: "DURATION",
    help: "Time after the start after which the agent is ready even though bootstrap names other " +
      "nodes and none of them answers. The default outlasts the 30 s for which cluster DNS names " +
      "pods that are gone.",
    commands: AGENT,
  }),
};
