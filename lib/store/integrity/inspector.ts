import { type Link, link } from "../../async/link.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { Store } from "../../ports/store.ts";
import type { Integrity, Reporter } from "../../ports/integrity.ts";
import { ReportBudget, trusts } from "./report_budget.ts";
import { readAgain, stampOf } from "./read_again.ts";

export interface InspectorCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly store: Pick<Store, "descriptor" | "open" | "stamp">;
  readonly metrics: Pick<Metrics, "contentChecked" | "damagedContent">;
}

/** Content that this node advertises. */
export interface Advertisements {
  /** Whether this node advertises the content. */
  has(digest: Digest): boolean;
  /** Called when content is found damaged, or is sound again. */
  review(digest: Digest): Promise<void>;
}

/** Bounds of pending checks: in total, and for unverified reporters. */
const MAX_WAITING = 64;
const MAX_UNVERIFIED = 16;
/** Interval of checks whether damaged content was rewritten, ms. */
const RECHECK_MS = 10_000;

/**
 * Checks reported content one digest at a time, and treats damaged content as not held until it was
 * rewritten and is sound.
 */
export class Inspector implements Integrity {
  readonly #with: InspectorCollaborators;
  readonly #budget: ReportBudget;
  readonly #life: Link = link();
  /** Damaged content, with its stamp at the time of the check. */
  readonly #damaged = new Map<Digest, string>();
  /** Pending checks, with the reporter of each. */
  readonly #waiting = new Map<Digest, Reporter | undefined>();
  #advertisements: Advertisements | undefined;
  #reading: Promise<void> | undefined;
  #looking: Promise<void> | undefined;

  constructor(collaborators: InspectorCollaborators) {
    this.#with = collaborators;
    this.#budget = new ReportBudget(collaborators.clock);
  }

  /**
   * Reviews these advertisements when content changes. Peers' reports are accepted only for
   * advertised content, since no peer can have got any other; before this call none is.
   */
  attach(advertisements: Advertisements): void {
    this.#advertisements = advertisements;
  }

  /** Number of damaged digests. */
  get damaged(): number {
    return this.#damaged.size;
  }

  /** {@inheritDoc Integrity.isDamaged} */
  isDamaged(digest: Digest): boolean {
    return this.#damaged.has(digest);
  }

  /** {@inheritDoc Integrity.doubt} */
  doubt(digest: Digest, by?: Reporter): void {
    if (this.#life.signal.aborted || this.#damaged.has(digest)) return;
    const most = trusts(by) ? MAX_WAITING : MAX_UNVERIFIED;
    if (this.#waiting.has(digest)) {
      if (trusts(by)) this.#waiting.set(digest, by);
      return;
    }
    if (this.#waiting.size >= most) return;
    if (by !== undefined && !this.#advertisements?.has(digest)) return;
    if (!this.#budget.take(digest, by)) return;
    this.#waiting.set(digest, by);
    this.#reading ??= this.#guard("content check failed", this.#read(this.#life));
  }

  /** Cancels the check in progress. */
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
          // Meanwhile a trusted report may come in, which goes first.
          await this.#with.clock.sleep(waitMs, { signal });
          continue;
        }
        this.#budget.begin(by);
        const damaged = await this.#check(digest, { signal });
        if (damaged) this.#budget.confirmed(by);
        this.#waiting.delete(digest);
      }
    } finally {
      this.#waiting.clear();
      this.#reading = undefined;
    }
  }

  /** The next pending check; trusted reporters go first. */
  #next(): [Digest, Reporter | undefined] {
    const waiting = [...this.#waiting];
    const next = waiting.find(([, by]) => trusts(by)) ?? waiting[0];
    if (next === undefined) throw new Error("no check is pending");
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
    this.#looking ??= this.#guard("check of damaged content failed", this.#look(this.#life));
    await this.#tell(digest);
    return true;
  }

  /** While anything is damaged, checks from time to time whether it was removed or rewritten. */
  async #look({ signal }: Cancellable): Promise<void> {
    const { clock } = this.#with;
    try {
      while (this.#damaged.size > 0) {
        await clock.sleep(RECHECK_MS, { signal });
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
    // A store that does not answer does not prove the content sound.
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
    await this.#advertisements?.review(digest).catch((error) =>
      this.#with.log.warn("advertisements were not updated", { digest, error })
    );
  }

  /** Runs work in the background and logs its failure. */
  #guard(failure: string, work: Promise<void>): Promise<void> {
    return work.catch((error) => {
      if (!this.#life.signal.aborted) this.#with.log.error(failure, { error });
    });
  }
}
