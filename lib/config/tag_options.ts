import { AGENT, DAY_MS, MIRROR, option } from "./option.ts";
import { boolean, duration, goExpression, list, oneOf } from "./types.ts";

/** What a tag means, and what is not shared. */
export const TAG_OPTIONS = {
  tagPolicy: option({
    type: oneOf("verify", "peer", "off"),
    default: "verify",
    placeholder: "POLICY",
    help:
      "How tags are resolved. `verify` asks upstream; while upstream is unreachable, it accepts " +
      "the answer of nodes with the cluster key or TLS, or, without either, of nodes that bootstrap " +
      "lists. `peer` accepts the answer of any node. `off` serves no tags, as " +
      "`--resolve-tags=false` does.",
    commands: MIRROR,
  }),
  tagTtl: option({
    type: duration(0, DAY_MS),
    default: "30s",
    placeholder: "DURATION",
    help: "How long this node caches upstream's answer for a tag.",
    commands: AGENT,
  }),
  unverifiedTags: option({
    type: oneOf("auto", "serve", "refuse"),
    default: "auto",
    placeholder: "POLICY",
    help:
      "What becomes of a tag while this node cannot ask upstream about it. `auto` leaves it to " +
      "containerd if containerd reaches upstream, which it finds out; else it serves what nodes " +
      "hold. `serve` always serves that, at once. `refuse` leaves all tags to containerd.",
    commands: AGENT,
  }),
  resolveTags: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Resolve tags through peers. If false, only digests are served and advertised.",
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
    type: list(goExpression()),
    default: "",
    placeholder: "REGEX…",
    help: "References that match any of these regular expressions (Go's syntax, RE2) are " +
      "neither served nor advertised.",
    commands: AGENT,
    list: true,
  }),
};
