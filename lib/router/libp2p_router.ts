import { deadline } from "../async/deadline.ts";
import { untilAborted } from "../async/until_aborted.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Peer, Router } from "../ports/router.ts";
import type { KnownPeers } from "./bootstrap/last_peers.ts";
import { dhtKey } from "./dht/dht_key.ts";
import { toIpPort } from "./libp2p/address.ts";
import type { ResolvedRouterOptions } from "./options.ts";
import { prunePeerStore } from "./peers/peer_store_pruner.ts";
import type { FetchTrees } from "./rollout/fetch_trees.ts";
import { RouterListenError } from "./libp2p/router_listen_error.ts";
import {
  createRouterParts,
  type RouterParts,
  type RouterPartsCollaborators,
} from "./router_parts.ts";

/** Interval of removing expired records and refreshing own addresses, ms. */
const MAINTENANCE_INTERVAL_MS = 60_000;
/** Keys swept between two yields of the work budget. */
const SWEEP_SIZE = 2000;
const STOP_TIMEOUT_MS = 3000;

/** The router on libp2p's Kademlia DHT, compatible with Spegel's. */
export class Libp2pRouter implements Router {
  readonly #collaborators: RouterPartsCollaborators;
  readonly #options: ResolvedRouterOptions;
  readonly #parts: RouterParts;
  readonly #stop = new AbortController();
  #waitedEnough = false;
  #ready = false;
  /** Resolves once the last known peers are written, after the stop. */
  #kept: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(collaborators: RouterPartsCollaborators, options: ResolvedRouterOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#parts = createRouterParts(collaborators, options);
  }

  /** Peer id of this node. */
  get id(): string {
    return this.#collaborators.host.node.peerId.toString();
  }

  /** Number of other nodes' records stored here. */
  get recordCount(): number {
    return this.#parts.store.size;
  }

  /** Number of open connections to other nodes. */
  get connectionCount(): number {
    return this.#collaborators.host.node.getConnections().length;
  }

  /** Announced multiaddrs, each with the peer id; empty before the start. */
  get listenAddresses(): readonly string[] {
    return this.#announced().map((address) => `${address}/p2p/${this.id}`);
  }

  /**
   * Starts listening and looking for peers; resolves when it listens, not when it is ready.
   *
   * @throws {RouterListenError} if the address cannot be listened on.
   */
  async start(): Promise<void> {
    const { host: { node }, bootstrapper } = this.#collaborators;
    const { table, publisher, monitor, bootstrap, firstPeer, discovery } = this.#parts;
    table.start();
    // Peers may connect as soon as it listens.
    this.#inBackground("waiting for the first peer", () => firstPeer.run(this.#stop));
    try {
      await this.#parts.goodbye.start();
      await this.elections?.start();
      await this.#listen();
      await this.#parts.refreshOwnAddresses();
      await bootstrapper.start?.({
        id: this.id,
        addresses: () => this.#announced(),
        others: (limit) => table.contacts(limit),
      });
    } catch (error) {
      await this.stop();
      throw error;
    }
    publisher.start();
    monitor.start();
    this.#inBackground("looking for peers", () => bootstrap.run(this.#stop));
    this.#inBackground("meeting peers", () => discovery.run(this.#stop));
    this.#inBackground("limiting connections", () => this.#parts.limiter.run(this.#stop));
    this.#inBackground("waiting to be ready", () => this.#waitToBeReady());
    this.#inBackground("maintenance", () => this.#maintain());
    this.#kept = this.#collaborators.lastPeers.keep(() => this.#known(), this.#stop);
    const fields = { id: this.id, addresses: this.listenAddresses, status: node.status };
    this.#collaborators.log.info("router listens", fields);
  }

  /**
   * Announces the departure to peers, so that they stop asking this node, and stops announcing keys
   * and looking for peers; lookups still answer from what is known until {@link stop}. Takes half
   * a second at most, or three if the disk is slow, and does not reject.
   */
  async leave(): Promise<void> {
    const { publisher, monitor, goodbye } = this.#parts;
    this.#stop.abort(new DOMException("the router leaves", "AbortError"));
    publisher.stop();
    monitor.stop();
    using limit = deadline(STOP_TIMEOUT_MS);
    const [told] = await Promise.all([
      goodbye.say(),
      untilAborted(this.#kept, limit.signal).catch(() => {}),
    ]);
    this.#collaborators.log.info("said goodbye", { peers: told });
  }

  /** Leaves the network and closes everything, within three seconds. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  /**
   * Replaces the secrets; connections that use none of the new ones are closed.
   *
   * @throws {Error} if the router was made without secrets.
   */
  replaceSecrets(secrets: readonly string[]): void {
    const { closed, node } = this.#collaborators.host;
    if (closed === undefined) throw new Error("the router was made without secrets");
    closed.replace(secrets, node);
  }

  /** {@inheritDoc Router.advertise} */
  async advertise(keys: readonly string[]): Promise<void> {
    await this.#parts.publisher.advertise(keys);
  }

  /** {@inheritDoc Router.withdraw} */
  withdraw(keys: readonly string[]): Promise<void> {
    this.#parts.publisher.withdraw(keys);
    return Promise.resolve();
  }

  /** {@inheritDoc Router.lookup} */
  lookup(key: string, options: Cancellable): AsyncIterable<Peer> {
    return this.#parts.lookup.find(dhtKey(key), options);
  }

  /** {@inheritDoc Router.anticipate} */
  anticipate(key: string): void {
    const { firstPeer, lookup } = this.#parts;
    // That nobody was found would be remembered for longer than until the first peer is known.
    if (!firstPeer.awaited) lookup.begin(dhtKey(key));
  }

  /** {@inheritDoc Router.firstPeer} */
  firstPeer(options: Cancellable): Promise<void> {
    return this.#parts.firstPeer.wait(options);
  }

  /**
   * True once a peer was known, or the bootstrap source names nobody else (a lone node is ready), or
   * `readyTimeoutMs` after the start.
   */
  ready(): boolean {
    const { table, bootstrap } = this.#parts;
    this.#ready ||= table.size > 0 || bootstrap.alone || this.#waitedEnough;
    return this.#ready;
  }

  /** Whether the router or its bootstrap server can no longer accept connections. */
  deaf(): boolean {
    const { host, bootstrapper } = this.#collaborators;
    return host.deaf() || (bootstrapper.deaf?.() ?? false);
  }

  /** {@inheritDoc Router.peers} */
  peers(): readonly Peer[] {
    return this.#parts.table.peers();
  }

  /** {@inheritDoc Router.hasLeft} */
  hasLeft(id: string): boolean {
    return this.#parts.departures.has(id);
  }

  /** Agreement with other nodes on who fetches content from upstream; undefined: there is none. */
  get elections(): FetchTrees | undefined {
    return this.#options.rollout ? this.#parts.fetchTrees : undefined;
  }

  /** {@inheritDoc Router.reportFailure} */
  reportFailure(id: string): void {
    const peer = this.#parts.table.find(id);
    if (peer !== undefined) this.#parts.monitor.suspect(peer);
  }

  async #listen(): Promise<void> {
    try {
      await this.#collaborators.host.node.start();
    } catch (error) {
      throw new RouterListenError(this.#options.listen, error);
    }
  }

  #announced(): string[] {
    return this.#collaborators.host.announced().map(String);
  }

  #known(): KnownPeers {
    const own = this.#collaborators.host.announced().map(toIpPort);
    return { peers: this.#parts.table.known(), own: own.filter((each) => each !== undefined) };
  }

  async #waitToBeReady(): Promise<void> {
    const { clock, log } = this.#collaborators;
    await clock.sleep(this.#options.readyTimeoutMs, this.#stop);
    if (this.ready()) return;
    this.#waitedEnough = true;
    log.warn("no peer answers, the node counts as alone until one does", {
      fix: "check what bootstrap names, and that the router port is open between nodes",
    });
  }

  async #maintain(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#collaborators.clock.sleep(MAINTENANCE_INTERVAL_MS, this.#stop);
      while (!this.#parts.store.sweep(SWEEP_SIZE)) await this.#parts.budget.breathe();
      try {
        await this.#parts.refreshOwnAddresses();
        await prunePeerStore(this.#collaborators.host, this.#parts.table);
      } catch (error) {
        this.#collaborators.log.warn("maintenance of the peer store failed", { error });
      }
    }
  }

  #inBackground(what: string, run: () => Promise<void>): void {
    run().catch((error) => {
      if (this.#stop.signal.aborted) return;
      this.#collaborators.log.error(`${what} failed`, { error });
    });
  }

  async #close(): Promise<void> {
    const { host, bootstrapper, log } = this.#collaborators;
    const { table, publisher, monitor, lookup, client } = this.#parts;
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    this.#parts.goodbye.stop();
    this.#parts.fetchTrees.stop();
    table.stop();
    publisher.stop();
    monitor.stop();
    lookup.stop();
    client.stop();
    const closing = Promise.allSettled([this.#kept, bootstrapper.stop?.(), host.node.stop()]);
    using limit = deadline(STOP_TIMEOUT_MS);
    const late = new Promise<"late">((resolve) => {
      limit.signal.addEventListener("abort", () => resolve("late"), { once: true });
    });
    const outcome = await Promise.race([closing, late]);
    if (outcome === "late") return log.warn("router did not stop in time");
    for (const result of outcome) {
      if (result.status === "rejected") log.warn("stopping failed", { error: result.reason });
    }
  }
}
