import { AGENT, DAY_MS, MIRROR, option, unset } from "./option.ts";
import {
  duration,
  list,
  listenAddress,
  oneOf,
  path,
  privateImages,
  repositoryPattern,
  text,
} from "./types.ts";

/** Who may have what, and what tags mean. */
export const ACCESS_OPTIONS = {
  tagPolicy: option({
    type: oneOf("verify", "peer", "off"),
    default: "verify",
    placeholder: "POLICY",
    help:
      "What a tag means: what upstream says (verify) and, while it cannot be asked, what nodes " +
      "hold that have the cluster key or TLS, or without both that bootstrap names; what any node " +
      "holds (peer); or tags are not served (off, as --resolve-tags=false).",
    commands: MIRROR,
  }),
  tagTtl: option({
    type: duration(0, DAY_MS),
    default: "30s",
    placeholder: "DURATION",
    help: "How long upstream's word on a tag holds on this node.",
    commands: AGENT,
  }),
  upstreamTimeout: option({
    type: duration(10, 60_000),
    default: "1s",
    placeholder: "DURATION",
    help: "Longest time that upstream is asked about a tag or about credentials.",
    commands: AGENT,
  }),
  privateImages: option({
    type: list(privateImages()),
    default: "auto",
    placeholder: "WHAT…",
    help: "Images that need credentials: what upstream does not give to anybody (auto), " +
      "repositories by pattern such as ghcr.io/acme/*, or none (share).",
    commands: AGENT,
    list: true,
  }),
  publicImages: option({
    type: list(repositoryPattern()),
    default: "",
    defaultText: "none: upstream is asked",
    placeholder: "PATTERN…",
    help: "Repositories that everybody may have, without asking upstream, such as " +
      "registry.internal/* or *: for clusters that never had one. What --private-images names by " +
      "pattern stays private.",
    commands: AGENT,
    list: true,
  }),
  privateTtl: option({
    type: duration(0, DAY_MS),
    default: "5m",
    placeholder: "DURATION",
    help: "How long credentials that upstream accepted are not checked again.",
    commands: AGENT,
  }),
  privateOffline: option({
    type: oneOf("deny", "allow"),
    default: "deny",
    placeholder: "WHAT",
    help:
      "Private images while upstream is away: deny, or allow for whom this node let in within " +
      "24 hours.",
    commands: AGENT,
  }),
  clusterKeyFile: unset({
    type: path(),
    defaultText: "none: private images are served on their own nodes only",
    placeholder: "FILE",
    help: "File with the key by which nodes know each other, as eddy keygen prints it, and in a " +
      "second line one that is valid too; read again when it changes. With it private images are " +
      "served to other nodes, and requests of others than nodes and local clients are refused.",
    commands: AGENT,
  }),
  peerTlsDir: unset({
    type: path(),
    defaultText: "none: what nodes send to each other is not encrypted",
    placeholder: "DIR",
    help:
      "Directory of tls.crt, tls.key and ca.crt, as cert-manager and Kubernetes name them; read " +
      "again when they change. With it nodes ask and answer each other by TLS (see --peer-tls-mode).",
    commands: AGENT,
  }),
  peerTlsAddr: option({
    type: listenAddress(),
    default: ":5443",
    placeholder: "HOST:PORT",
    help: "Address at which peers are served by TLS; its port is the same on every node.",
    commands: AGENT,
  }),
  peerTlsMode: option({
    type: oneOf("require", "prefer"),
    default: "require",
    placeholder: "MODE",
    help:
      "Nodes without TLS: not asked and not answered (require); answered, and asked in the clear " +
      "where they refuse connections by TLS (prefer), while it is being switched on.",
    commands: AGENT,
  }),
  peerTlsName: option({
    type: text("a DNS name"),
    default: "eddy",
    placeholder: "NAME",
    help: "DNS name that the certificates of all nodes carry: peers have no other names.",
    commands: AGENT,
  }),
  dockerConfig: unset({
    type: path(),
    defaultText: "none",
    placeholder: "FILE",
    help: "Docker config.json whose credentials (auths; helpers are not run) stand for " +
      "local clients that show none: name only what every pod of this node may pull. Read again " +
      "when it changes.",
    commands: AGENT,
  }),
  registriesFile: unset({
    type: path(),
    defaultText: "/etc/rancher/{k3s,rke2}/registries.yaml, if there",
    placeholder: "FILE",
    help: "registries.yaml of k3s or RKE2 whose credentials (configs) are used likewise, as its " +
      "containerd uses them; none: no file.",
    commands: AGENT,
  }),
  localClients: option({
    type: list(text("an address or network such as 10.42.0.0/24")),
    default: "",
    defaultText: "loopback and this node's addresses",
    placeholder: "NETWORK…",
    help: "Where requests of the local containerd come from besides loopback and this node's " +
      "addresses; gateway: the first address of each of its networks, such as a pod's bridge. " +
      "Only they are asked for credentials.",
    commands: AGENT,
    list: true,
  }),
};
