import { join } from "node:path";
import { ifPresent } from "../../files/if_present.ts";
import { readSmallFile } from "../../files/read_small_file.ts";
import { replaceFile } from "../../files/write_durably.ts";
import type { BootstrapEntry } from "../../oci/peer_protocol.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import { type IpPort, toMultiaddrString } from "../libp2p/address.ts";
import type { BootstrapAddress } from "./bootstrapper.ts";
import { parseEntries } from "./parse_entries.ts";

/** File in the data directory. */
const PEERS_FILE = "peers.json";
/** Far above that of a full file, bytes. */
const MAX_FILE_BYTES = 128 * 1024;
/** Peers that are kept, addresses of each, and addresses of this node. */
const MAX_PEERS = 32;
const MAX_ADDRESSES = 8;
/** Interval at which a changed list is written, ms. */
const SAVE_INTERVAL_MS = 5000;
/**
 * So many times in a row; then one more in this time, ms. Flash memory wears out, and peers may come
 * and go for ever.
 */
const MAX_WRITES = 12;
const WRITE_EVERY_MS = 10 * 60_000;

/** A peer with the addresses of its router. */
export interface KnownPeer {
  readonly id: string;
  /** At least one. */
  readonly addresses: readonly IpPort[];
}

/** What is known at one time. */
export interface KnownPeers {
  readonly peers: readonly KnownPeer[];
  /** Addresses of this node's router. */
  readonly own: readonly IpPort[];
}

export interface LastPeersOptions {
  /** Data directory; undefined: nothing survives a restart. */
  readonly dataDir: string | undefined;
  /** Names the bootstrap source: peers known with another one are forgotten; undefined: all are. */
  readonly source: string | undefined;
}

/**
 * The peers that this node knew last, kept in `peers.json` of the data directory. They are hints of
 * where to begin while the bootstrap source is out of date or down, nothing more: whom it finds
 * there, a node meets as it meets bootstrap peers, and no address is trusted for being in the file.
 */
export class LastPeers {
  readonly #collaborators: Pick<Runtime, "clock" | "log">;
  readonly #file: { readonly path: string; readonly source: string } | undefined;
  #known: KnownPeers = { peers: [], own: [] };
  #saved: string | undefined;

  private constructor(
    collaborators: Pick<Runtime, "clock" | "log">,
    { dataDir, source }: LastPeersOptions,
  ) {
    this.#collaborators = collaborators;
    if (dataDir && source !== undefined) this.#file = { path: join(dataDir, PEERS_FILE), source };
  }

  /** Reads the file; one that is missing, broken or of another source counts as empty. */
  static async load(
    collaborators: Pick<Runtime, "clock" | "log">,
    options: LastPeersOptions,
  ): Promise<LastPeers> {
    const last = new LastPeers(collaborators, options);
    if (last.#file === undefined) return last;
    const { path, source } = last.#file;
    try {
      const text = await ifPresent(readSmallFile(path, MAX_FILE_BYTES));
      if (text !== undefined) last.#known = parseFile(text, source);
      last.#saved = text;
    } catch (error) {
      collaborators.log.warn("the last known peers could not be read", { path, error });
    }
    return last;
  }

  /** Whom to dial. */
  get peers(): readonly KnownPeer[] {
    return this.#known.peers;
  }

  /** Tells whether this node itself had all of these addresses, now or in an earlier run. */
  wasOwn(addresses: readonly IpPort[]): boolean {
    return addresses.every((address) =>
      this.#known.own.some((own) => own.ip === address.ip && own.port === address.port)
    );
  }

  /** Forgets those of earlier runs. */
  forget(): void {
    this.#known = { ...this.#known, peers: [] };
  }

  /**
   * Writes who is known, if that has changed, until the signal aborts, and once more then. A file
   * that cannot be written is logged. Does not reject.
   *
   * @param current returns who is known now.
   */
  async keep(current: () => KnownPeers, { signal }: Cancellable): Promise<void> {
    const { clock } = this.#collaborators;
    let writes = MAX_WRITES;
    let countedAt = clock.now();
    while (this.#file !== undefined && !signal.aborted) {
      await clock.sleep(SAVE_INTERVAL_MS, { signal }).catch(() => {});
      this.#known = merge(this.#known, current());
      writes = Math.min(writes + (clock.now() - countedAt) / WRITE_EVERY_MS, MAX_WRITES);
      countedAt = clock.now();
      const text = formatFile(this.#known, this.#file.source);
      if (text === this.#saved || (writes < 1 && !signal.aborted)) continue;
      writes--;
      await this.#save(this.#file.path, text);
    }
  }

  async #save(path: string, text: string): Promise<void> {
    try {
      await replaceFile(path, text, { mode: 0o600, directoryMode: 0o700 });
      this.#saved = text;
    } catch (error) {
      this.#collaborators.log.warn("the last known peers could not be written", { path, error });
    }
  }
}

/**
 * Keeps peers that are still known, so that the file changes seldom, then adds others, and fills up
 * with those that are gone: at fixed addresses they come back.
 */
function merge(last: KnownPeers, { peers, own }: KnownPeers): KnownPeers {
  const present = new Map(peers.map((peer) => [peer.id, peer]));
  const ids = new Set(last.peers.map(({ id }) => id));
  const stayed = last.peers.flatMap(({ id }) => present.get(id) ?? []);
  const joined = peers.filter(({ id }) => !ids.has(id));
  const gone = last.peers.filter(({ id }) => !present.has(id));
  const isNow = new Set(own.map(toMultiaddrString));
  const before = last.own.filter((address) => !isNow.has(toMultiaddrString(address)));
  return {
    peers: [...stayed, ...joined, ...gone].slice(0, MAX_PEERS).map(({ id, addresses }) => ({
      id,
      addresses: addresses.slice(0, MAX_ADDRESSES),
    })),
    own: [...own, ...before].slice(0, MAX_ADDRESSES),
  };
}

function formatFile({ peers, own }: KnownPeers, source: string): string {
  const entries = peers.map(({ id, addresses }): BootstrapEntry => ({
    ID: id,
    Addrs: addresses.map(toMultiaddrString),
  }));
  return `${JSON.stringify({ source, own: own.map(toMultiaddrString), peers: entries })}\n`;
}

function parseFile(text: string, source: string): KnownPeers {
  const file = (JSON.parse(text) ?? {}) as { source?: unknown; own?: unknown; peers?: unknown };
  if (file.source !== source) return { peers: [], own: [] };
  const peers = parseEntries(file.peers).slice(0, MAX_PEERS).flatMap(({ id, addresses }) => {
    const known = addresses.filter(hasPort);
    return id === undefined || known.length === 0 ? [] : [{ id, addresses: known }];
  });
  const [own] = parseEntries([{ Addrs: file.own }]);
  return { peers, own: own?.addresses.filter(hasPort) ?? [] };
}

function hasPort(address: BootstrapAddress): address is IpPort {
  return address.port !== undefined;
}
