import { ACCESS_OPTIONS } from "./access_options.ts";
import { BOOTSTRAP_OPTIONS } from "./bootstrap_options.ts";
import { CLEANUP_OPTIONS } from "./cleanup_options.ts";
import { KUBERNETES_OPTIONS } from "./kubernetes_options.ts";
import {
  AGENT,
  ALL,
  CHANGES,
  CONFIGURATION,
  DAY_MS,
  MIRROR,
  type Option,
  option,
  PLACES,
  unset,
} from "./option.ts";
import { TRANSFER_OPTIONS } from "./transfer_options.ts";
import {
  boolean,
  duration,
  httpUrl,
  integer,
  list,
  listenAddress,
  oneOf,
  path,
  registryName,
  regularExpression,
  text,
} from "./types.ts";

/**
 * All options. The key in kebab case is the flag and the key in the YAML file, in upper case with
 * underscores the environment variable; Spegel's names where it has the option.
 */
export const OPTIONS = {
  registryAddr: option({
    type: listenAddress(),
    default: ":5000",
    placeholder: "HOST:PORT",
    help: "Address of the registry that containerd and peers pull from; its port is the same on " +
      "every node.",
    commands: MIRROR,
  }),
  routerAddr: option({
    type: listenAddress(),
    default: ":5001",
    placeholder: "HOST:PORT",
    help: "Address of the peer-to-peer router (TCP).",
    commands: AGENT,
  }),
  metricsAddr: option({
    type: listenAddress(),
    default: ":9090",
    placeholder: "HOST:PORT",
    help: "Address of Prometheus metrics.",
    commands: AGENT,
  }),
  spegelMetrics: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Export Spegel's metrics too, under its names, for dashboards and alerts made for it.",
    commands: AGENT,
  }),
  debugWebEnabled: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Show how the node is at /debug/ on the address of the metrics.",
    commands: AGENT,
  }),
  dataDir: unset({
    type: path(),
    defaultText: "none: a new identity at each start",
    placeholder: "DIR",
    help: "Directory for what should survive a restart: the node's identity.",
    commands: AGENT,
  }),
  logLevel: option({
    type: oneOf("debug", "info", "warn", "error"),
    default: "info",
    placeholder: "LEVEL",
    help: "Least severe level that is logged: debug, info, warn or error.",
    commands: ALL,
  }),
  store: unset({
    type: text("containerd or oci-layout:PATH"),
    defaultText: "containerd",
    placeholder: "STORE",
    help: "Where images are: `containerd`, or `oci-layout:PATH`, a directory in OCI image layout.",
    commands: AGENT,
  }),
  containerdSock: unset({
    type: path(),
    defaultText: "detected: containerd, k3s or RKE2",
    placeholder: "PATH",
    help: "Socket of containerd.",
    commands: AGENT,
  }),
  containerdNamespace: option({
    type: text("a containerd namespace such as k8s.io"),
    default: "k8s.io",
    placeholder: "NAME",
    help: "Namespace of containerd that holds the images.",
    commands: AGENT,
  }),
  containerdContentPath: unset({
    type: path(),
    defaultText: "as containerd says",
    placeholder: "DIR",
    help: "Content store of containerd; blobs are read from it when it is readable, else through " +
      "the socket.",
    commands: AGENT,
  }),
  containerdRegistryConfigPath: unset({
    type: path(),
    defaultText: "detected, else /etc/containerd/certs.d",
    placeholder: "DIR",
    help: "Directory of containerd's registry hosts; empty: mirror configuration is not written.",
    commands: PLACES,
  }),
  mirroredRegistries: option({
    type: list(registryName()),
    default: "",
    defaultText: "all",
    placeholder: "HOST…",
    help: "Registries that are mirrored, as HOST[:PORT] or as URL where upstream is plain HTTP.",
    commands: MIRROR,
    list: true,
  }),
  mirrorTargets: option({
    type: list(httpUrl()),
    default: "",
    defaultText: "this agent",
    placeholder: "URL…",
    help: "Addresses under which containerd reaches Eddy.",
    commands: MIRROR,
    list: true,
  }),
  additionalMirrorRegistries: option({
    type: list(httpUrl()),
    default: "",
    placeholder: "URL…",
    help: "Further mirrors, such as a zot cache, asked after Eddy and before upstream.",
    commands: MIRROR,
    list: true,
  }),
  prependExisting: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Keep the hosts that are configured already, behind Eddy.",
    commands: MIRROR,
  }),
  resolveTags: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Resolve tags through peers; if false only digests are served and advertised.",
    commands: MIRROR,
  }),
  resolveLatestTag: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Resolve the tag `latest` through peers.",
    commands: AGENT,
  }),
  registryFilters: option({
    type: list(regularExpression()),
    default: "",
    placeholder: "REGEX…",
    help: "References that match any of these regular expressions are neither served nor " +
      "advertised.",
    commands: AGENT,
    list: true,
  }),
  ...ACCESS_OPTIONS,
  basicAuthDir: unset({
    type: path(),
    defaultText: "/etc/secrets/basic-auth, if it has any",
    placeholder: "DIR",
    help: "Directory with the files `username` and `password` that containerd and peers have to " +
      "show; they are read again when they change.",
    commands: MIRROR,
  }),
  mirrorResolveTimeout: option({
    type: duration(1, DAY_MS),
    default: "20ms",
    placeholder: "DURATION",
    help: "Longest time to look for a first peer before the pull goes on upstream.",
    commands: AGENT,
  }),
  mirrorResolveRetries: option({
    type: integer(1, 100),
    default: "3",
    placeholder: "N",
    help: "Most peers that are asked before the pull goes on upstream.",
    commands: AGENT,
  }),
  ...TRANSFER_OPTIONS,
  rollout: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Experimental: nodes that want the same at the same time agree on who gets it from " +
      "upstream, and pass it on while it is still coming in.",
    commands: AGENT,
  }),
  ...BOOTSTRAP_OPTIONS,
  ...KUBERNETES_OPTIONS,
  ...CLEANUP_OPTIONS,
  peerNetwork: option({
    type: oneOf("lan", "wan", "edge"),
    default: "lan",
    placeholder: "NETWORK",
    help: "What lies between the nodes: lan, wan (tens of milliseconds) or edge (bad lines). " +
      "Sets how long connecting to a peer and its answers are waited for.",
    commands: AGENT,
  }),
  dhtPrefix: option({
    type: text("a protocol prefix such as /spegel"),
    default: "/spegel",
    placeholder: "PREFIX",
    help:
      "Prefix of the DHT's protocol; clusters with different prefixes never talk. The default " +
      "is Spegel's, so that both can run in one cluster.",
    commands: AGENT,
  }),
  dhtClosed: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Only nodes with the cluster key take part in the index: others, Spegel's too, neither " +
      "ask nor answer there. The same on every node.",
    commands: AGENT,
  }),
  config: unset({
    type: path(),
    placeholder: "FILE",
    help: "YAML file with any of these options, the flag's name without dashes as key; flags and " +
      "environment variables take precedence.",
    commands: CONFIGURATION,
  }),
  dryRun: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Print what would change and change nothing.",
    commands: CHANGES,
  }),
  containerdConfig: unset({
    type: path(),
    defaultText: "detected, else /etc/containerd/config.toml",
    placeholder: "FILE",
    help: "containerd's configuration file, to look for settings that pass Eddy by.",
    commands: ["doctor"],
  }),
  json: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Print the result as JSON.",
    commands: ["doctor"],
  }),
};

/** All options with their values. */
export type Config = {
  readonly [Key in keyof typeof OPTIONS]: (typeof OPTIONS)[Key] extends Option<infer T> ? T : never;
};

/** The name of an option in {@link OPTIONS}. */
export type OptionKey = keyof typeof OPTIONS;

/** The rows as a list, under the names that users write. */
export const OPTION_ROWS: readonly (Option & { key: OptionKey; flag: string; env: string })[] =
  (Object.keys(OPTIONS) as OptionKey[]).map((key) => {
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return { ...OPTIONS[key], key, flag, env: flag.toUpperCase().replaceAll("-", "_") };
  });
