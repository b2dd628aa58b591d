import type { Config } from "../../config/options.ts";
import { formatDistributionPath } from "../../oci/path.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { parseReference } from "../../oci/reference.ts";
import type {
  AdvertisedContent,
  Overview,
  PeerView,
} from "../../observability/debug/debug_source.ts";
import type { Check } from "../../ports/check.ts";
import { failed, ok, skipped } from "../../agent/preflight.ts";
import { formatHostPort } from "../../net/host_port.ts";
import { checkPeerTls } from "./tls_checks.ts";
import { type AgentClient, PEER_REQUEST_MS, refusalOf } from "./agent_client.ts";

/** Bound of the peers that are tried. */
const MAX_PEERS = 5;
/** Bound of the digests that are looked up to find one that only this node holds. */
const MAX_DIGESTS = 20;

const FROM_PEERS = "this node from peers";

/** Reasons of a peer that asked other nodes for the content. */
const LOOKED_FOR = new Set(["no-peer", "peers-unreachable", "peers-refused", "timeout"]);

/** Content that only this node holds, and how to request it. */
interface Unique {
  readonly repository: string;
  readonly registry: string;
  readonly digest: Digest;
}

/**
 * Checks that peers are reachable from here, that lookups in the index succeed, and that peers
 * reach this node: a peer is asked for content that only this node holds, so it must find this node
 * in the index and fetch from it.
 */
export async function checkNetwork(
  client: AgentClient,
  config: Config,
  overview: Overview,
  content: readonly AdvertisedContent[],
): Promise<Check[]> {
  const peers = overview.peers.filter(({ connected, registryPort, addresses }) =>
    connected && registryPort > 0 && addresses.length > 0
  ).slice(0, MAX_PEERS);
  if (peers.length === 0) return [skipped("ports of peers", "no peer is known")];
  const reached = await checkPeerPorts(client, peers);
  const { check, unique } = await checkIndex(client, content);
  const tls = await checkPeerTls(config, peers);
  return [
    reached.check,
    ...tls,
    check,
    config.clusterKeyFile === undefined
      ? await checkFromPeers(client, config, reached.peers, unique)
      : servedPeers(overview),
  ];
}

async function checkPeerPorts(
  client: AgentClient,
  peers: readonly PeerView[],
): Promise<{ check: Check; peers: readonly PeerView[] }> {
  const name = "ports of peers";
  const answers = await Promise.all(peers.map(async (peer) => ({
    peer,
    url: urlOf(peer),
    reply: await client.registry(`${urlOf(peer)}/v2/`),
  })));
  const silent = answers.filter(({ reply }) => reply.status === undefined);
  const good = answers.filter(({ reply }) => reply.status !== undefined).map(({ peer }) => peer);
  const [first] = silent;
  if (first === undefined) {
    return { check: ok(name, `${answers.length} of ${peers.length} answer`), peers: good };
  }
  const check = failed(
    name,
    `${silent.length} of ${peers.length} peers do not answer, such as ${first.url} ` +
      `(${first.reply.error})`,
    `open the registry port (${first.peer.registryPort}, TCP) between nodes; it must be the same ` +
      "on all of them",
  );
  return { check, peers: good };
}

/** Looks up digests until one is found that no other node holds. */
async function checkIndex(
  client: AgentClient,
  content: readonly AdvertisedContent[],
): Promise<{ check: Check; unique: Unique | undefined }> {
  const name = "index (DHT)";
  const tried = candidates(content);
  let held = 0;
  let slowestMs = 0;
  for (const [index, candidate] of tried.entries()) {
    const found = await client.holders(candidate.digest);
    if (found === undefined) {
      const fix = "check the agent's log; if another measurement is in progress, try again";
      const check = failed(name, `${candidate.digest} could not be looked up`, fix);
      return { check, unique: undefined };
    }
    slowestMs = Math.max(slowestMs, found.lookupMs);
    if (found.peers.length > 0) held++;
    else {
      const looked = `${index + 1} lookups, the slowest ${slowestMs.toFixed(0)} ms`;
      return { check: ok(name, `${looked}, ${held} held by peers too`), unique: candidate };
    }
  }
  if (tried.length === 0) {
    return { check: skipped(name, "nothing is advertised to look up"), unique: undefined };
  }
  const detail = `${tried.length} lookups, the slowest ${slowestMs.toFixed(0)} ms, all found peers`;
  return { check: ok(name, detail), unique: undefined };
}

/** The latest digests first: they are the likeliest to be here alone. */
function candidates(content: readonly AdvertisedContent[]): Unique[] {
  const all = content.toReversed().flatMap(({ image, digests }): Unique[] => {
    const reference = image === undefined ? undefined : parseReference(image);
    if (reference === undefined) return [];
    const { registry, repository } = reference;
    return digests.filter(isDigest).map((digest) => ({ registry, repository, digest }));
  });
  return all.slice(0, MAX_DIGESTS);
}

/** Nodes with a cluster key look for nothing on behalf of whoever cannot sign, as the doctor. */
function servedPeers({ totals: { bytesTo } }: Overview): Check {
  return bytesTo > 0 ? ok(FROM_PEERS, `they have fetched ${bytesTo} bytes from it`) : skipped(
    FROM_PEERS,
    "none has fetched from it yet, and with a cluster key the doctor cannot ask one to; on " +
      'another node, "ports of peers" tries this one',
  );
}

async function checkFromPeers(
  client: AgentClient,
  config: Config,
  peers: readonly PeerView[],
  unique: Unique | undefined,
): Promise<Check> {
  const name = FROM_PEERS;
  if (unique === undefined) {
    return skipped(
      name,
      "peers hold everything that this node holds, so none has to fetch from it",
    );
  }
  const { digest, registry, repository } = unique;
  const reference = { registry, repository, digest };
  const failures: string[] = [];
  for (const peer of peers) {
    // Without the header of a peer's request, the peer looks for it as for its own containerd.
    const refusals: string[] = [];
    for (const kind of ["blob", "manifest"] as const) {
      const url = `${urlOf(peer)}${formatDistributionPath({ kind, reference })}`;
      const reply = await client.registry(url, {
        timeoutMs: PEER_REQUEST_MS,
        range: kind === "blob" ? "bytes=0-0" : undefined,
      });
      if (reply.status === 200 || reply.status === 206) {
        return ok(name, `${urlOf(peer)} found and reached it`);
      }
      refusals.push(refusalOf(reply));
    }
    // It does not look for content that is private, or that upstream does not know.
    const told = refusals.find((reason) => LOOKED_FOR.has(reason));
    if (told !== undefined) failures.push(`${urlOf(peer)} (${told})`);
  }
  if (failures.length === 0) return skipped(name, "no peer was willing to try");
  const { registryAddr, routerAddr } = config;
  return failed(
    name,
    `${failures.join(", ")} could not get ${digest.slice(0, 19)}… from here`,
    `open the registry port (${registryAddr.port}) and the router port (${routerAddr.port}) for ` +
      "other nodes; --registry-addr must not be loopback, and its port the same on every node",
  );
}

function urlOf({ addresses: [address = ""], registryPort }: PeerView): string {
  return `http://${formatHostPort(address, registryPort)}`;
}
