import { AGENT, DAY_MS, option, unset } from "./option.ts";
import { byteSize, duration, integer, oneOf } from "./types.ts";

/** What is kept where containerd discards layers. */
export const LAYER_OPTIONS = {
  keepLayers: option({
    type: oneOf("auto", "always", "never"),
    default: "auto",
    placeholder: "WHEN",
    help:
      "Keep layers for other nodes by a lease in containerd: `auto` where containerd discards " +
      "them once unpacked (`discard_unpacked_layers`), `always`, or `never`.",
    commands: AGENT,
  }),
  keepLayersMax: unset({
    type: byteSize("a size such as 20GiB, at most 1024TiB", 2 ** 50),
    defaultText: "a tenth of the file system, at most 50GiB",
    placeholder: "SIZE",
    help: "Most bytes of layers that are kept. Beyond, what was served least recently is let go.",
    commands: AGENT,
  }),
  keepLayersMinFree: option({
    type: integer(0, 90),
    default: "15",
    placeholder: "PERCENT",
    help: "Free space of the file system, in percent, below which layers are let go, oldest first.",
    commands: AGENT,
  }),
  keepLayersLease: option({
    type: duration(1_000, DAY_MS),
    default: "1h",
    placeholder: "DURATION",
    help: "How long containerd keeps them once no agent runs on the node any more.",
    commands: AGENT,
  }),
};
