import type { Log } from "../ports/log.ts";

/** Collaborators of {@link DiskLimits}. */
export interface DiskLimitsCollaborators {
  /** Space of the file system that has the content; undefined: it cannot be looked at. */
  readonly space:
    | (() => Promise<{ readonly bytes: number; readonly freeBytes: number }>)
    | undefined;
  readonly log: Log;
}

/** Settings of {@link DiskLimits}. */
export interface DiskLimitsOptions {
  /** The most bytes to keep; undefined: a tenth of the file system, at most 50 GiB. */
  readonly maxBytes: number | undefined;
  /** Share of the file system below which layers are let go, 0 to 1. */
  readonly minFreeShare: number;
}

/** What the disk has room for at present. */
export interface DiskRoom {
  /** The most bytes to keep. */
  readonly maxBytes: number;
  /** How much must be freed, bytes. */
  readonly lackingBytes: number;
}

const DEFAULT_SHARE = 0.1;
const DEFAULT_MAX_BYTES = 50 * 2 ** 30;
/** Where the file system cannot be looked at. */
const UNKNOWN_MAX_BYTES = 10 * 2 ** 30;

/** How much may be kept, by the space of the disk. */
export class DiskLimits {
  readonly #with: DiskLimitsCollaborators;
  readonly #options: DiskLimitsOptions;
  #unknown = false;

  constructor(collaborators: DiskLimitsCollaborators, options: DiskLimitsOptions) {
    this.#with = collaborators;
    this.#options = options;
  }

  /** Does not reject: where the disk cannot be looked at, less is kept. */
  async look(): Promise<DiskRoom> {
    const { space, log } = this.#with;
    const { maxBytes, minFreeShare } = this.#options;
    try {
      if (space === undefined) return { maxBytes: maxBytes ?? UNKNOWN_MAX_BYTES, lackingBytes: 0 };
      const { bytes, freeBytes } = await space();
      this.#unknown = false;
      return {
        maxBytes: maxBytes ?? Math.min(bytes * DEFAULT_SHARE, DEFAULT_MAX_BYTES),
        lackingBytes: Math.max(0, bytes * minFreeShare - freeBytes),
      };
    } catch (error) {
      if (!this.#unknown) log.warn("the free space for layers cannot be read", { error });
      this.#unknown = true;
      return { maxBytes: maxBytes ?? UNKNOWN_MAX_BYTES, lackingBytes: 0 };
    }
  }
}
