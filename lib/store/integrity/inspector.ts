import { type Link, link } from "../../async/link.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { Store } from "../../ports/store.ts";
import type { Doubter, Integrity } from "../../ports/integrity.ts";
import { DoubtBudget, trusts } from "./doubt_budget.ts";
import { readAgain, stampOf } from "./read_again.ts";

/** What an {@link Inspector} works with. */
export interface InspectorCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly store: Pick<Store, "descriptor" | "open" | "stamp">;
  /** Whether this node tells others that it has it: of all else nobody can have got anything. */
  readonly advertises: (digest: Digest) => boolean;
  /** Called when content was found to be damaged, or is right again. */
  readonly changed: (digest: Digest) => Promise<void>;
  readonly metrics: Pick<Metrics, "contentChecked" | "damagedContent">;
}

/** Most that waits to be read again, and most of that which is doubted by others than nodes. */
const MAX_WAITING = 64;
const MAX_STRANGERS = 16;
/** How often it is looked whether damaged content was written anew, ms. */
const LOOK_MS = 10_000;

/**
 * Reads content again about which there is doubt, one after the other, and remembers what is damaged
 * until it was written anew and is right.
 */
export class Inspector implements Integrity {
  readonly #with: InspectorCollaborators;
  readonly #budget: DoubtBudget;
  readonly #life: Link = link();
  /** What is damaged, and its stamp when that was found. */
  readonly #damaged = new Map<Digest, string>();
  /** What waits to be read again, and who says so. */
  readonly #waiting = new Map<Digest, Doubter | undefined>();
  #reading: Promise<void> | undefined;
  #looking: Promise<void> | undefined;

  constructor(collaborators: InspectorCollaborators) {
    this.#with = collaborators;
    this.#budget = new DoubtBudget(collaborators.clock);
  }

  /** How much is damaged. */
  get damaged(): number {
    return this.#damaged.size;
  }

  /** {@inheritDoc Integrity.isDamaged} */
  isDamaged(digest: Digest): boolean {
    return this.#damaged.has(digest);
  }

  /** {@inheritDoc Integrity.doubt} */
  doubt(digest: Digest, by?: Doubter): void {
    if (this.#life.signal.aborted || this.#damaged.has(digest)) return;
    const most = trusts(by) ? MAX_WAITING : MAX_STRANGERS;
    if (this.#waiting.has(digest)) {
      if (trusts(by)) this.#waiting.set(digest, by);
      return;
    }
    if (this.#waiting.size >= most) return;
    if (by !== undefined && !this.#with.advertises(digest)) return;
    if (!this.#budget.take(digest, by)) return;
    this.#waiting.set(digest, by);
    this.#reading ??= this.#guard("content is not read again", this.#read(this.#life));
  }

  /** Ends whatever is under way. */
  async close(): Promise<void> {
    this.#life.abort();
    await Promise.all([this.#reading, this.#looking]);
  }

  async #read({ signal }: Cancellable): Promise<void> {
    try {
      while (this.#waiting.size > 0) {
        const [digest, by] = this.#next();
        const waitMs = this.#budget.waitMs(by);
        if (waitMs > 0) {
          // Then somebody may be first whom nobody has to wait for.
          await this.#with.clock.sleep(waitMs, { signal });
          continue;
        }
        this.#budget.begin(by);
        const damaged = await this.#check(digest, { signal });
        if (damaged) this.#budget.wasRight(by);
        this.#waiting.delete(digest);
      }
    } finally {
      this.#waiting.clear();
      this.#reading = undefined;
    }
  }

  /** What is doubted by whoever is trusted goes before. */
  #next(): [Digest, Doubter | undefined] {
    const waiting = [...this.#waiting];
    const next = waiting.find(([, by]) => trusts(by)) ?? waiting[0];
    if (next === undefined) throw new Error("nothing waits to be read again");
    return next;
  }

  /** Whether it is damaged. */
  async #check(digest: Digest, { signal }: Cancellable): Promise<boolean> {
    const { store, log, metrics } = this.#with;
    const stamp = await stampOf(store, digest, { signal }).catch(() => undefined);
    const verdict = stamp === undefined ? "unknown" : await readAgain(this.#with, digest, {
      signal,
    });
    metrics.contentChecked(verdict);
    log.debug("content was read again", { digest, verdict });
    if (stamp === undefined || verdict !== "damaged") return false;
    const isNew = !this.#damaged.has(digest);
    this.#damaged.set(digest, stamp);
    if (!isNew) return true;
    log.warn("content of the store is damaged: it counts as not held until it is replaced", {
      digest,
      fix:
        `remove it (ctr -n k8s.io content rm ${digest}), pull its image again, and look at the ` +
        "disk",
    });
    this.#looking ??= this.#guard("damaged content is not looked at", this.#look(this.#life));
    await this.#tell(digest);
    return true;
  }

  /** Looks now and then, as long as anything is damaged, whether it was removed or written anew. */
  async #look({ signal }: Cancellable): Promise<void> {
    const { clock } = this.#with;
    try {
      while (this.#damaged.size > 0) {
        await clock.sleep(LOOK_MS, { signal });
        for (const [digest, before] of this.#damaged) {
          await this.#lookAt(digest, before, { signal });
        }
      }
    } finally {
      this.#looking = undefined;
    }
  }

  async #lookAt(digest: Digest, before: string, { signal }: Cancellable): Promise<void> {
    const { store, log } = this.#with;
    // A store that cannot be asked is no reason to take it for right.
    const stamp = await stampOf(store, digest, { signal }).catch(() => before);
    if (stamp === before) return;
    if (stamp !== undefined) {
      const verdict = await readAgain(this.#with, digest, { signal });
      if (verdict === "damaged") this.#damaged.set(digest, stamp);
      if (verdict !== "sound") return;
    }
    this.#damaged.delete(digest);
    log.info("damaged content was removed or replaced", { digest });
    await this.#tell(digest);
  }

  async #tell(digest: Digest): Promise<void> {
    this.#with.metrics.damagedContent(this.#damaged.size);
    await this.#with.changed(digest).catch((error) =>
      this.#with.log.warn("what is advertised was not changed", { digest, error })
    );
  }

  /** Work that nobody waits for. */
  #guard(failure: string, work: Promise<void>): Promise<void> {
    return work.catch((error) => {
      if (!this.#life.signal.aborted) this.#with.log.error(failure, { error });
    });
  }
}
