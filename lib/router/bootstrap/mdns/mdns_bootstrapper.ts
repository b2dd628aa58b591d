import type { Cancellable } from "../../../ports/cancellable.ts";
import type { Runtime } from "../../../ports/runtime.ts";
import type { BootstrapPeer, Bootstrapper, BootstrapSelf } from "../bootstrapper.ts";
import { decodeMessage, encodeAnswer, encodeQuery } from "./mdns_message.ts";
import { type MulticastLink, type OpenMulticastLink, openMulticastLink } from "./multicast_link.ts";
import { type InterfaceInfo, type SiteInterface, siteInterfaces } from "./site_interfaces.ts";

/** Maximum known peers. */
const MAX_PEERS = 256;
/** How long to wait for the first answers while no peer is known, ms. */
const FIRST_ANSWERS_MS = 500;
/** Minimum interval of queries, and of answers (RFC 6762, sections 5.2 and 6), ms. */
const MIN_INTERVAL_MS = 1000;
/** Random delay of answers, so that they do not collide (section 6), ms. */
const ANSWER_DELAY_MS = { min: 20, max: 120 };

export interface MdnsBootstrapperOptions {
  /** Names of the interfaces to use; empty: see {@link siteInterfaces}. */
  readonly interfaces: readonly string[];
}

export interface MdnsBootstrapperCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly open?: OpenMulticastLink;
  readonly list?: () => readonly InterfaceInfo[];
}

interface KnownPeer {
  readonly peer: BootstrapPeer;
  readonly until: number;
}

/**
 * Bootstraps from the peers that answer on the node's own links, by multicast DNS. Queries only
 * while peers are looked for, and answers other nodes. IPv4 only; nothing leaves the link.
 */
export function createMdnsBootstrapper(
  collaborators: MdnsBootstrapperCollaborators,
  options: MdnsBootstrapperOptions,
): Bootstrapper {
  return new MdnsBootstrapper(collaborators, options);
}

class MdnsBootstrapper implements Bootstrapper {
  readonly #collaborators: MdnsBootstrapperCollaborators;
  readonly #options: MdnsBootstrapperOptions;
  readonly #links = new Map<string, MulticastLink>();
  readonly #known = new Map<string, KnownPeer>();
  readonly #stop = new AbortController();
  #self: BootstrapSelf | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #answering = false;

  constructor(
    collaborators: MdnsBootstrapperCollaborators,
    options: MdnsBootstrapperOptions,
  ) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  async start(self: BootstrapSelf): Promise<void> {
    this.#self = self;
    await this.#openLinks();
  }

  async get(options: Cancellable): Promise<BootstrapPeer[]> {
    const { clock } = this.#collaborators;
    // Interfaces come and go: a node may start before its cable is plugged in.
    await this.#openLinks();
    if (this.#links.size === 0) throw new Error(this.#noInterface());
    if (clock.now() - this.#askedAt >= MIN_INTERVAL_MS) {
      this.#askedAt = clock.now();
      await this.#send(encodeQuery());
      await clock.sleep(FIRST_ANSWERS_MS, options);
    }
    return this.#peers();
  }

  stop(): Promise<void> {
    this.#stop.abort(new DOMException("bootstrap is stopped", "AbortError"));
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    return Promise.resolve();
  }

  async #openLinks(): Promise<void> {
    const { log, open = openMulticastLink, list = Deno.networkInterfaces } = this.#collaborators;
    for (const own of siteInterfaces(list(), this.#options.interfaces)) {
      const key = `${own.name} ${own.address}`;
      if (this.#links.has(key)) continue;
      try {
        const link = await open(own);
        if (this.#stop.signal.aborted) return link.close();
        this.#links.set(key, link);
        this.#follow(key, own, link);
      } catch (error) {
        log.warn("multicast cannot be used on an interface", { interface: own.name, error });
      }
    }
  }

  /** Receives in the background until the link is closed. */
  #follow(key: string, own: SiteInterface, link: MulticastLink): void {
    const { log } = this.#collaborators;
    const listen = async () => {
      for await (const bytes of link.receive()) this.#handle(bytes);
    };
    listen().catch((error) => {
      log.warn("multicast ended on an interface", { interface: own.name, error });
      link.close();
      this.#links.delete(key);
    });
  }

  #handle(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message === undefined) return;
    if (message.type === "query") return this.#answerSoon();
    const { peer, ttlMs } = message;
    if (peer.id === this.#self?.id) return;
    this.#known.delete(peer.id);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= MAX_PEERS && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(peer.id, { peer, until: this.#collaborators.clock.now() + ttlMs });
  }

  #answerSoon(): void {
    const { clock, log } = this.#collaborators;
    if (this.#answering || clock.now() - this.#answeredAt < MIN_INTERVAL_MS) return;
    this.#answering = true;
    const { min, max } = ANSWER_DELAY_MS;
    const answer = async () => {
      await clock.sleep(min + Math.random() * (max - min), this.#stop);
      const self = this.#self;
      if (self === undefined) return;
      this.#answeredAt = clock.now();
      await this.#send(encodeAnswer({ id: self.id, addresses: self.addresses() }));
    };
    answer().catch((error) => {
      if (!this.#stop.signal.aborted) log.debug("a multicast answer was not sent", { error });
    }).finally(() => this.#answering = false);
  }

  async #send(message: Uint8Array<ArrayBuffer>): Promise<void> {
    const { log } = this.#collaborators;
    await Promise.all([...this.#links].map(async ([key, link]) => {
      try {
        await link.send(message);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.debug("multicast was not sent on an interface", { interface: key, error });
      }
    }));
  }

  #peers(): BootstrapPeer[] {
    const now = this.#collaborators.clock.now();
    for (const [id, { until }] of this.#known) if (until <= now) this.#known.delete(id);
    // Any host on the link can answer.
    return [...this.#known.values()].map(({ peer }) => ({ ...peer, unverified: true }));
  }

  #noInterface(): string {
    const { interfaces } = this.#options;
    return interfaces.length === 0
      ? "no interface of the site has a private IPv4 address, name one to use multicast on"
      : `multicast can be used on none of the interfaces ${interfaces.join(", ")}`;
  }
}
