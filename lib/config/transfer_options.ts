import { AGENT, option, unset } from "./option.ts";
import { boolean, byteSize, integer, rate } from "./types.ts";

/** How bytes move between nodes. */
export const TRANSFER_OPTIONS = {
  uploadLimit: unset({
    type: rate(),
    defaultText: "no limit",
    placeholder: "RATE",
    help: "Most that this node sends to peers, such as 500Mbps; they share it fairly.",
    commands: AGENT,
  }),
  downloadLimit: unset({
    type: rate(),
    defaultText: "no limit",
    placeholder: "RATE",
    help: "Most that this node receives from peers, such as 500Mbps; they share it fairly.",
    commands: AGENT,
  }),
  maxUploads: unset({
    type: integer(1, 100_000),
    defaultText: "no limit",
    placeholder: "N",
    help: "Most blobs that are sent to peers at the same time; further ones are got elsewhere.",
    commands: AGENT,
  }),
  verifyPeerContent: option({
    type: boolean(),
    default: "true",
    placeholder: "",
    help:
      "Hash what peers send while it passes, so that a peer that sends wrong content is found " +
      "out; containerd verifies in any case.",
    commands: AGENT,
  }),
  verifyWholeLimit: option({
    type: byteSize(),
    default: "32MiB",
    placeholder: "SIZE",
    help: "Blobs of peers up to this size are verified before anything of them is passed on, so " +
      "that a wrong one costs a peer and not the pull. Larger ones come from peers known by the " +
      "cluster key or TLS, where there are any, and are verified while they pass.",
    commands: AGENT,
  }),
  verifyWholeMemory: option({
    type: byteSize(),
    default: "128MiB",
    placeholder: "SIZE",
    help: "Memory for that, in all; no blob that is larger is verified so.",
    commands: AGENT,
  }),
};
