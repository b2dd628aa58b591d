import { DEFAULT_DHT_PREFIX } from "../oci/peer_protocol.ts";
import { AGENT, DAY_MS, option } from "./option.ts";
import { duration, integer, oneOf, text } from "./types.ts";

/** How peers are looked up. */
export const ROUTING_OPTIONS = {
  mirrorResolveTimeout: option({
    type: duration(1, DAY_MS),
    default: "20ms",
    placeholder: "DURATION",
    help: "Maximum time to find a peer before falling back to upstream.",
    commands: AGENT,
  }),
  mirrorResolveRetries: option({
    type: integer(1, 100),
    default: "3",
    placeholder: "N",
    help: "Maximum number of peers to ask before falling back to upstream.",
    commands: AGENT,
  }),
  peerNetwork: option({
    type: oneOf("lan", "wan", "edge"),
    default: "lan",
    placeholder: "NETWORK",
    help: "Network between the nodes: `lan`, `wan` (latency of tens of milliseconds) or `edge` " +
      "(unreliable links). Sets the timeouts for connecting to peers and for their answers.",
    commands: AGENT,
  }),
  dhtPrefix: option({
    type: text("a protocol prefix such as /spegel"),
    default: DEFAULT_DHT_PREFIX,
    placeholder: "PREFIX",
    help: "Protocol prefix of the DHT. Nodes with different prefixes never communicate. The " +
      "default is Spegel's, so that both can run in one cluster.",
    commands: AGENT,
  }),
};
