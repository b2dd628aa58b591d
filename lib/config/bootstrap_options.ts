import { AGENT, option, unset } from "./option.ts";
import { httpUrl, list, listenAddress, oneOf, path, text } from "./types.ts";

/** How first peers are found. */
export const BOOTSTRAP_OPTIONS = {
  bootstrapKind: unset({
    type: oneOf("dns", "static", "http", "kubernetes", "mdns"),
    defaultText: "none: a lone node",
    placeholder: "KIND",
    help:
      "How first peers are found: dns, static, http, kubernetes, or mdns where a site has no DNS.",
    commands: AGENT,
  }),
  dnsBootstrapDomain: unset({
    type: text("a domain name"),
    placeholder: "DOMAIN",
    help: "Name whose addresses are peers, such as a headless service; one that begins with an " +
      "underscore, such as _router._tcp.eddy.example, is a service whose SRV records are.",
    commands: AGENT,
  }),
  staticBootstrapPeers: option({
    type: list(text("an address or multiaddress")),
    default: "",
    placeholder: "PEER…",
    help: "Peers as multiaddresses, with or without a peer id, or as HOST[:PORT].",
    commands: AGENT,
    list: true,
  }),
  httpBootstrapAddr: unset({
    type: listenAddress(),
    placeholder: "HOST:PORT",
    help: "Address to answer other nodes' HTTP bootstrap at, path /id.",
    commands: AGENT,
  }),
  httpBootstrapUrl: unset({
    type: httpUrl(),
    placeholder: "URL",
    help: "URL that answers with peers, such as http://10.0.0.1:5002/id.",
    commands: AGENT,
  }),
  httpBootstrapCertDir: unset({
    type: path(),
    placeholder: "DIR",
    help: "Directory of ca.crt, tls.crt and tls.key for an https URL: its authority, and what is " +
      "shown to it.",
    commands: AGENT,
  }),
  mdnsInterfaces: option({
    type: list(text("the name of an interface")),
    default: "",
    defaultText: "all with a private address, but those of containers and tunnels",
    placeholder: "NAME…",
    help: "Network interfaces whose links are asked for peers by multicast.",
    commands: AGENT,
    list: true,
  }),
  kubernetesBootstrapService: unset({
    type: text("the name of a service"),
    placeholder: "NAME",
    help: "Headless service whose endpoints are peers, read from the API server.",
    commands: AGENT,
  }),
  kubernetesBootstrapNamespace: unset({
    type: text("the name of a namespace"),
    defaultText: "that of the pod, or of the kubeconfig's context",
    placeholder: "NAME",
    help: "Namespace of that service.",
    commands: AGENT,
  }),
};
