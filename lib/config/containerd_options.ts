import { additionalMirror } from "./additional_mirror.ts";
import { AGENT, MIRROR, option, PLACES, RUNTIME, unset } from "./option.ts";
import { boolean, httpUrl, list, path, registryName, text } from "./types.ts";

/** Where images are. */
export const STORE_OPTIONS = {
  store: unset({
    type: text("containerd or oci-layout:PATH"),
    defaultText: "containerd",
    placeholder: "STORE",
    help: "Image store: `containerd`, or `oci-layout:PATH` for a directory in OCI image layout.",
    commands: AGENT,
  }),
  containerdSock: unset({
    type: path(),
    defaultText: "detected",
    placeholder: "PATH",
    help: "Socket of containerd.",
    commands: RUNTIME,
  }),
  containerdNamespace: option({
    type: text("a containerd namespace such as k8s.io"),
    default: "k8s.io",
    placeholder: "NAME",
    help: "containerd namespace that holds the images.",
    commands: RUNTIME,
  }),
  containerdContentPath: unset({
    type: path(),
    defaultText: "as reported by containerd",
    placeholder: "DIR",
    help: "Content store of containerd. Blobs are read from it directly if it is readable, " +
      "otherwise through the socket.",
    commands: AGENT,
  }),
};

/** What is written into containerd's registry hosts. */
export const HOSTS_OPTIONS = {
  containerdRegistryConfigPath: unset({
    type: path(),
    defaultText: "detected, else /etc/containerd/certs.d",
    placeholder: "DIR",
    help: "Directory of containerd's registry hosts (`config_path`). If it is empty, no mirror " +
      "configuration is written.",
    commands: PLACES,
  }),
  mirroredRegistries: option({
    type: list(registryName()),
    default: "",
    defaultText: "all",
    placeholder: "HOST…",
    help: "Registries to mirror, as HOST[:PORT], or as a URL if upstream is plain HTTP.",
    commands: MIRROR,
    list: true,
  }),
  mirrorTargets: option({
    type: list(httpUrl()),
    default: "",
    defaultText: "this agent",
    placeholder: "URL…",
    help: "URLs under which containerd reaches Eddy.",
    commands: MIRROR,
    list: true,
  }),
  additionalMirrorRegistries: option({
    type: list(additionalMirror()),
    default: "",
    placeholder: "URL…",
    help:
      "Additional mirrors, such as a zot cache, tried after Eddy and before upstream. The path " +
      "of a URL such as https://harbor.example/v2/hub is that of the API (`override_path`). A " +
      "mirror may also be a map in YAML, as text or in the file, with the names of hosts.toml: " +
      "`{url: https://harbor.example/v2/hub, ca: /etc/harbor.crt, skip_verify: false, header: " +
      "{X-Site: [a, b]}}`.",
    commands: MIRROR,
    list: true,
  }),
  requireMirrorUse: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help:
      "Be ready only if containerd asks this agent. Where its settings leave that open, which " +
      "is with several directories in `config_path` from containerd 2.1 on, it is told to pull an " +
      "image that does not exist.",
    commands: AGENT,
  }),
  prependExisting: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Keep hosts that are already configured, after Eddy.",
    commands: MIRROR,
  }),
};
