import { AGENT, DAY_MS, MIRROR, option, unset } from "./option.ts";
import { duration, list, oneOf, path, privateImages, repositoryPattern, text } from "./types.ts";

/** Who may pull what. */
export const ACCESS_OPTIONS = {
  privateImages: option({
    type: list(privateImages()),
    default: "auto",
    placeholder: "WHAT…",
    help:
      "Images that require credentials: `auto` for images that cannot be pulled anonymously, a " +
      "pattern such as `ghcr.io/acme/*` for these repositories, `share` for none.",
    commands: AGENT,
    list: true,
  }),
  publicImages: option({
    type: list(repositoryPattern()),
    default: "",
    defaultText: "none, upstream is asked",
    placeholder: "PATTERN…",
    help: "Repositories that anyone may pull without asking upstream, such as " +
      "`registry.internal/*` or `*`: for clusters that have no upstream. Patterns of " +
      "`--private-images` take precedence.",
    commands: AGENT,
    list: true,
  }),
  privateTtl: option({
    type: duration(0, DAY_MS),
    default: "5m",
    placeholder: "DURATION",
    help: "How long credentials that upstream accepted are valid without another check.",
    commands: AGENT,
  }),
  privateOffline: option({
    type: oneOf("deny", "allow"),
    default: "deny",
    placeholder: "WHAT",
    help:
      "Private images while upstream is unreachable. `deny` refuses them, `allow` serves them " +
      "to clients that this node authorized within the last 24 hours.",
    commands: AGENT,
  }),
  upstreamTimeout: option({
    type: duration(10, 60_000),
    default: "1s",
    placeholder: "DURATION",
    help: "Maximum time to ask upstream about a tag or about credentials.",
    commands: AGENT,
  }),
  upstreamCa: option({
    type: list(path()),
    default: "system",
    placeholder: "PATH…",
    help: "Certificate authorities of upstream registries and of an https bootstrap URL, besides " +
      "the built-in ones: files or directories in PEM form. `system` is what this machine trusts, " +
      "`system:ROOT` what the one does whose files are below ROOT. Reloaded on change.",
    commands: AGENT,
    list: true,
  }),
  basicAuthDir: unset({
    type: path(),
    defaultText: "/etc/secrets/basic-auth, if it has these files",
    placeholder: "DIR",
    help: "Directory with the files `username` and `password` that containerd and peers must " +
      "present. Reloaded on change.",
    commands: MIRROR,
  }),
  dockerConfig: unset({
    type: path(),
    defaultText: "none",
    placeholder: "FILE",
    help: "Docker config.json with credentials (auths; helpers are not run) for local clients " +
      "that send none. It grants access to every pod on the node. Reloaded on change.",
    commands: AGENT,
  }),
  registriesFile: unset({
    type: path(),
    defaultText: "/etc/rancher/{k3s,rke2}/registries.yaml, if it exists",
    placeholder: "FILE",
    help:
      "registries.yaml of k3s or RKE2. Its credentials (configs) are used in the same way, for " +
      "the servers that they name, as its containerd uses them. `none` turns this off.",
    commands: AGENT,
  }),
  localClients: option({
    type: list(text("an address or network such as 10.42.0.0/24")),
    default: "",
    defaultText: "loopback and this node's addresses",
    placeholder: "NETWORK…",
    help: "Source addresses of the local containerd besides loopback and this node's addresses. " +
      "`gateway` stands for the first address of each of the node's networks, such as a pod's " +
      "bridge. Only local clients are asked for credentials.",
    commands: AGENT,
    list: true,
  }),
};
