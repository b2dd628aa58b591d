import type { RateLimiter } from "../async/rate_limiter.ts";
import { OciError } from "../oci/error.ts";
import { referenceKey } from "../oci/reference.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Mirror, MirrorMiss } from "../ports/mirror.ts";
import type { Router } from "../ports/router.ts";
import type { TrustedAddresses } from "../ports/access.ts";
import type { Elections } from "../ports/rollout.ts";
import { AskedInVain } from "./selection/asked_in_vain.ts";
import { Blobs } from "./blobs.ts";
import type { Connect } from "./http/connect.ts";
import { ConnectionPool, type Send } from "./http/pool.ts";
import { Hashes } from "./hashing/hashes.ts";
import { Deliveries } from "./split/deliveries.ts";
import { Doubts } from "./transfer/doubts.ts";
import { link } from "../async/link.ts";
import { Manifests } from "./manifests.ts";
import { type MirrorOptions, mirrorOptions } from "./options.ts";
import { PeerClient, type ProvePeers } from "./http/peer_client.ts";
import { PeerHealth, type PeerHealthReport } from "./selection/peer_health.ts";
import { Prober } from "./selection/prober.ts";
import { askLists } from "./ask_lists.ts";
import { askTag } from "./ask_tag.ts";
import { PenaltyBox } from "./selection/penalty_box.ts";
import { Searches } from "./selection/searches.ts";
import { Transfers } from "./transfer/transfers.ts";
import { WholeBlobs } from "./whole/whole_blobs.ts";
import { type CreateWholeReader, WholeReader } from "./whole/whole_reader.ts";
import { TagHolders } from "./selection/tag_holders.ts";
import { SplitPolicy } from "./split/split_policy.ts";
import { Tainted } from "./transfer/tainted.ts";

/** What the mirror works with. */
export interface MirrorCollaborators extends Runtime {
  readonly router: Router;
  /**
   * Lets nodes that want the same content at the same time agree on which of them go upstream;
   * default: they do not agree.
   */
  readonly elections?: Elections | undefined;
  /**
   * `Authorization` headers that peers may want, the likeliest first, asked for at each request;
   * default none.
   */
  readonly authorizations?: () => readonly string[];
  /** Proves to peers that this node belongs to the cluster. */
  readonly peerAuth?: ProvePeers | undefined;
  /**
   * Addresses of peers that are believed about tags without a proof; default: every holder is
   * believed.
   */
  readonly trustedAddresses?: TrustedAddresses | undefined;
  /** Rate of what is received from peers, shared fairly; default: as fast as it goes. */
  readonly downloads?: Pick<RateLimiter, "take"> | undefined;
  /** Connects to peers; default by TCP. */
  readonly connect?: Connect | undefined;
  /**
   * Whether `connect` verifies certificates of peers, at least of those that have one; default
   * false.
   */
  readonly connectsSecurely?: boolean | undefined;
  /** Sends requests to peers; default over direct connections. */
  readonly send?: Send;
  /** Source of randomness in [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

/** A mirror that holds connections. */
export interface HttpMirror extends Mirror {
  /** Ends all requests under way; bodies that are not read to their end error. */
  close(): Promise<void>;
  /** The health of the peers that were asked. */
  health(): PeerHealthReport[];
}

const UNREACHABLE: MirrorMiss = { found: false, reason: "peers-unreachable", attempts: 0 };

/**
 * Makes a mirror that gets content from other nodes over HTTP: the best peer first, a second when
 * that one is late, the next when it refuses; bodies go on at another peer when one fails.
 *
 * @param given settings that differ from the defaults.
 * @throws {RangeError} if a setting is out of its range.
 */
export function createMirror(
  collaborators: MirrorCollaborators,
  given: Partial<MirrorOptions> = {},
): HttpMirror {
  const options = mirrorOptions(given);
  const { router, clock, log } = collaborators;
  const life = link();
  const closing = life.signal;
  const peers = composePeers(collaborators, options, closing);
  const { manifests, blobs, doubts, hashes } = composeFetchers(
    collaborators,
    options,
    { ...peers, closing },
  );
  const { searches, health, prober, connections } = peers;
  const { resolveTimeoutMs } = options;
  const firstPeer = async (signal: AbortSignal) => {
    using either = link(signal, closing);
    await router.firstPeer?.(either);
  };
  return {
    async fetch(request, { signal }) {
      try {
        await firstPeer(signal);
        return request.kind === "manifest"
          ? await manifests.fetch(request, signal)
          : await blobs.fetch(request, signal);
      } catch (error) {
        signal.throwIfAborted();
        closing.throwIfAborted();
        if (error instanceof OciError) throw error;
        log.error("fetching from peers failed", { error });
        return UNREACHABLE;
      }
    },
    anticipate: ({ reference }) => router.anticipate?.(referenceKey(reference)),
    kept: (request) => request.kind === "manifest" ? manifests.kept(request) : undefined,
    async tagAnswers(path, { signal }) {
      await firstPeer(signal).catch(() => {});
      return await askTag({ searches, clock, closing }, path, { resolveTimeoutMs, signal });
    },
    async lists(request, options) {
      await firstPeer(options.signal).catch(() => {});
      return await askLists({ searches, clock, log, closing }, request, options);
    },
    async close() {
      if (closing.aborted) return;
      life.abort(new DOMException("the mirror is closed", "AbortError"));
      await Promise.all([prober.close(), doubts.close()]);
      connections.close();
      hashes.close();
    },
    health: () => health.snapshot(),
  };
}

/** Finds and asks peers, and remembers their health. */
function composePeers(
  collaborators: MirrorCollaborators,
  options: MirrorOptions,
  closing: AbortSignal,
) {
  const { router, elections, trustedAddresses, clock, log, metrics } = collaborators;
  const { authorizations = () => [], peerAuth, random = Math.random } = collaborators;
  const connections = new ConnectionPool(options, collaborators.connect);
  const { send = connections.send.bind(connections) } = collaborators;
  const client = new PeerClient({ clock, send, authorizations, peerAuth }, options);
  const penalties = new PenaltyBox(clock, options);
  const health = new PeerHealth({ clock, penalties }, options);
  const prober = new Prober({ health, penalties, client });
  const searches = new Searches({
    router,
    elections,
    tagHolders: trustedAddresses && new TagHolders({ router, trustedAddresses, clock, log }),
    inVain: new AskedInVain(clock, options.shunMs),
    health,
    penalties,
    prober,
    client,
    clock,
    log,
    metrics,
    random,
    closing,
  }, options);
  return { connections, client, penalties, health, prober, searches };
}

/** Gets manifests and blobs from the peers that are found. */
function composeFetchers(
  { downloads, peerAuth, connectsSecurely = false, clock, log, metrics }: MirrorCollaborators,
  options: MirrorOptions,
  { client, health, penalties, searches, closing }:
    & Omit<ReturnType<typeof composePeers>, "connections" | "prober">
    & { readonly closing: AbortSignal },
) {
  const hashes = new Hashes({ clock, log });
  const doubts = new Doubts({ client, health, clock });
  const tainted = new Tainted(clock);
  const transfers = new Transfers({
    deliveries: new Deliveries(options.maxTrackedPeers),
    splits: new SplitPolicy(clock, options),
    health,
    penalties,
    hashes,
    doubts,
    tainted,
    downloads,
    clock,
    log,
    metrics,
    closing,
  }, options);
  const createReader: CreateWholeReader = (init) =>
    new WholeReader({ transfers, doubts, tainted, log, metrics }, options, init);
  const provesPeers = peerAuth !== undefined || connectsSecurely;
  const wholes = new WholeBlobs(
    { createReader, tainted, penalties, provesPeers, clock, log, closing },
    options,
  );
  const blobs = new Blobs(
    { searches, transfers, wholes, tainted, log, metrics, closing },
    options.verify,
  );
  const manifests = new Manifests({ searches, createReader, clock, log }, options);
  return { manifests, blobs, doubts, hashes };
}
