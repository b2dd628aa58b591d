import { AGENT, option, unset } from "./option.ts";
import { boolean, byteSize, integer, rate } from "./types.ts";

/** How bytes move between nodes. */
export const TRANSFER_OPTIONS = {
  uploadLimit: unset({
    type: rate(),
    defaultText: "no limit",
    placeholder: "RATE",
    help: "Maximum rate of uploads to peers, such as 500Mbps. Peers share it fairly.",
    commands: AGENT,
  }),
  downloadLimit: unset({
    type: rate(),
    defaultText: "no limit",
    placeholder: "RATE",
    help: "Maximum rate of downloads from peers, such as 500Mbps. Peers share it fairly.",
    commands: AGENT,
  }),
  maxUploads: unset({
    type: integer(1, 100_000),
    defaultText: "no limit",
    placeholder: "N",
    help:
      "Maximum number of concurrent blob uploads to peers. Further requests are refused as busy.",
    commands: AGENT,
  }),
  verifyPeerContent: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help: "Verify the digest of content from peers in transit, so that a peer that sends wrong " +
      "content is shunned. containerd verifies in any case.",
    commands: AGENT,
  }),
  verifyWholeLimit: option({
    type: byteSize(),
    default: "32MiB",
    placeholder: "SIZE",
    help:
      "Blobs from peers up to this size are verified before their first byte is passed on, so " +
      "that wrong content costs a retry at another peer and not the pull. Larger blobs are " +
      "verified in transit, and come from peers with the cluster key or TLS, if there are any.",
    commands: AGENT,
  }),
  verifyWholeMemory: option({
    type: byteSize(),
    default: "128MiB",
    placeholder: "SIZE",
    help:
      "Memory budget for blobs that are held until verified. A larger blob is verified in transit.",
    commands: AGENT,
  }),
  rollout: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help:
      "Experimental. Nodes that pull the same content at the same time elect one that fetches " +
      "it from upstream, and relay it to each other while it arrives.",
    commands: AGENT,
  }),
};
