import { type Digest, isDigest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Leases, Wanted } from "../../ports/leases.ts";
import { type CallSettings, type ContainerdClient, ContainerdError } from "./client.ts";
import { type LeaseRecord, methods } from "./methods.ts";

/** Settings of {@link ContainerdLeases}. */
export interface ContainerdLeasesOptions {
  /** How long content is kept without a renewal, ms; default an hour. */
  readonly lifetimeMs?: number;
  /** The time, ms since 1970; default the system's clock, which containerd uses, too. */
  readonly now?: () => number;
}

/** A lease of an agent on this node. */
interface Lease {
  readonly id: string;
  /** When it ends, ms since 1970. */
  readonly endsAt: number;
}

/** When a lease ends, RFC 3339 (containerd, core/metadata/gc.go). */
const EXPIRE = "containerd.io/gc.expire";
/**
 * Only the content itself is kept: without it, a configuration would keep the snapshots of its image,
 * which its labels refer to (containerd, core/metadata/gc.go).
 */
const FLAT = "containerd.io/gc.flat";
/** Marks the leases of Eddy, besides their names. */
const OWNER = "eddy.dev/keeps";
const OWNED = "layers";
const NAME = /^eddy-layers-\d+$/;
const FILTERS = [`labels.${JSON.stringify(OWNER)}==${OWNED}`];
/** Deadline of calls that no pull waits for, ms. */
const PATIENT_MS = 10_000;
/** How far the clocks of two looks may be apart, ms: a lease that lasts longer has a wrong end. */
const SLACK_MS = 60_000;

/**
 * Leases of containerd. Their end cannot be changed once they are made, so a lease is followed by
 * another one. The older is not deleted, but left to end: another agent of this node may just be
 * adding to it, and finds the newer one at its own next renewal. Only one that lasts too long is
 * deleted: the node's time was set back, or the lifetime was made shorter.
 */
export class ContainerdLeases implements Leases {
  readonly lifetimeMs: number;
  readonly #client: ContainerdClient;
  readonly #now: () => number;
  /** The newest known lease; undefined until one is needed. */
  #current: Lease | undefined;
  /** The lease that was used is gone, and what it kept may be, too. */
  #lost = false;

  constructor(client: ContainerdClient, options: ContainerdLeasesOptions = {}) {
    this.#client = client;
    this.#now = options.now ?? Date.now;
    this.lifetimeMs = options.lifetimeMs ?? 3_600_000;
  }

  async keep(digest: Digest, options: Cancellable): Promise<void> {
    const current = this.#lasting(this.#current);
    if (current !== undefined && await this.#add(current, digest, options)) {
      // Else a renewal has replaced it in the meantime, and may have read it before.
      if (this.#current?.id === current.id) return;
    } else {
      // It has ended, or was deleted.
      this.#lost ||= this.#current !== undefined;
    }
    this.#current = await this.#newest(options);
    if (await this.#add(this.#current, digest, options)) return;
    throw new Error(`lease ${this.#current.id} is gone`);
  }

  async release(digest: Digest, options: Cancellable): Promise<void> {
    const resource = contentResource(digest);
    for (const { id } of await this.#list(options)) {
      await unlessGone(this.#client.call(methods.deleteLeaseResource, { id, resource }, options));
    }
  }

  async renew(
    { added, recorded }: Wanted,
    { signal }: Cancellable,
  ): Promise<ReadonlySet<Digest>> {
    const options = { signal, timeoutMs: PATIENT_MS };
    const older = await this.#list(options);
    const used = this.#current;
    this.#lost ||= used !== undefined && older.every(({ id }) => id !== used.id);
    const newest = await this.#newest(options, older);
    this.#current = newest;
    const kept = await this.#resources(newest, options);
    const others = older.filter(({ id }) => id !== newest.id);
    const wanted = this.#lost ? [...added, ...recorded] : added;
    for (const digest of wanted) await this.#addUnless(kept, newest, digest, options);
    for (const lease of others) {
      for (const digest of await this.#resources(lease, options)) {
        await this.#addUnless(kept, newest, digest, options);
      }
      if (this.#lastsTooLong(lease)) await this.#delete(lease, options);
    }
    this.#lost = false;
    return kept;
  }

  async end({ signal }: Cancellable): Promise<readonly string[]> {
    const options = { signal, timeoutMs: PATIENT_MS };
    const names = await this.names({ signal });
    for (const id of names) await this.#delete({ id }, options);
    this.#current = undefined;
    return names;
  }

  /** The names of all leases of this node's agents. */
  async names({ signal }: Cancellable): Promise<string[]> {
    return (await this.#records({ signal, timeoutMs: PATIENT_MS })).map(({ id }) => id);
  }

  /** The lease that is to be used; a new one if none has half of its lifetime left. */
  async #newest(options: Cancellable, known?: readonly Lease[]): Promise<Lease> {
    const leases = (known ?? await this.#list(options)).filter((lease) =>
      !this.#lastsTooLong(lease)
    );
    const newest = leases.toSorted((a, b) => b.endsAt - a.endsAt)[0];
    if (newest !== undefined && newest.endsAt - this.#now() >= this.lifetimeMs / 2) return newest;
    return await this.#create(options);
  }

  async #create(options: Cancellable): Promise<Lease> {
    const endsAt = this.#now() + this.lifetimeMs;
    const id = `eddy-layers-${Math.floor(endsAt)}`;
    const labels = { [EXPIRE]: new Date(endsAt).toISOString(), [FLAT]: "true", [OWNER]: OWNED };
    try {
      await this.#client.call(methods.createLease, { id, labels }, options);
    } catch (error) {
      // By another agent, a moment ago.
      if (!(error instanceof ContainerdError && error.alreadyExists)) throw error;
    }
    return { id, endsAt };
  }

  /** @returns false if there is no such lease. */
  async #add({ id }: Lease, digest: Digest, options: Cancellable): Promise<boolean> {
    const resource = contentResource(digest);
    const call = this.#client.call(methods.addLeaseResource, { id, resource }, options);
    return await unlessGone(call) !== undefined;
  }

  async #addUnless(
    kept: Set<Digest>,
    lease: Lease,
    digest: Digest,
    options: Cancellable,
  ): Promise<void> {
    if (kept.has(digest)) return;
    if (!await this.#add(lease, digest, options)) throw new Error(`lease ${lease.id} is gone`);
    kept.add(digest);
  }

  async #delete({ id }: Pick<Lease, "id">, options: Cancellable): Promise<void> {
    await unlessGone(this.#client.call(methods.deleteLease, { id, sync: false }, options));
  }

  async #resources({ id }: Lease, options: Cancellable): Promise<Set<Digest>> {
    const listed = await unlessGone(this.#client.call(methods.listLeaseResources, { id }, options));
    const content = (listed?.resources ?? []).filter(({ type }) => type === CONTENT);
    return new Set(content.map(({ id }) => id).filter(isDigest));
  }

  /** The leases of this node's agents that have not ended. */
  async #list(options: Cancellable): Promise<Lease[]> {
    return (await this.#records(options))
      .map(({ id, labels }) => ({ id, endsAt: Date.parse(labels[EXPIRE] ?? "") }))
      .filter((lease) => this.#lasting(lease) !== undefined);
  }

  async #records(options: CallSettings): Promise<LeaseRecord[]> {
    const { leases } = await this.#client.call(methods.listLeases, { filters: FILTERS }, options);
    return leases.filter(isOwn);
  }

  #lasting(lease: Lease | undefined): Lease | undefined {
    return lease !== undefined && lease.endsAt > this.#now() ? lease : undefined;
  }

  #lastsTooLong({ endsAt }: Lease): boolean {
    return endsAt - this.#now() > this.lifetimeMs + SLACK_MS;
  }
}

/** Type of a lease's resource. */
const CONTENT = "content";

function contentResource(digest: Digest) {
  return { id: digest, type: CONTENT };
}

function isOwn({ id, labels }: LeaseRecord): boolean {
  return NAME.test(id) && labels[OWNER] === OWNED;
}

/** Undefined if the lease is gone. */
async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ContainerdError && error.notFound) return undefined;
    throw error;
  }
}
