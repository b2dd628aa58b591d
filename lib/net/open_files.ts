/** Files of the first probe, and of one probe at most: 25 µs each. */
const FIRST_PROBE = 512;
const MAX_PROBE = 4096;
/** Minimum gain, as a share of the known limit; below it probing stops. */
const MIN_GAIN = 0.1;

/** Opens at most `most` files and closes them again. @returns how many it could open. */
export type ProbeFiles = (most: number) => number;

/**
 * A lower bound of this process's open file limit. The compiled program may not read
 * /proc/self/limits, which the runtime grants only together with everything else, so it probes by
 * opening files. That takes time, and a few hundred suffice for most agents: further files are
 * probed when needed.
 */
export class OpenFiles {
  readonly #probe: ProbeFiles;
  #known: number;
  #complete: boolean;

  constructor(probe: ProbeFiles = openNull) {
    this.#probe = probe;
    this.#known = probe(FIRST_PROBE);
    this.#complete = this.#known < FIRST_PROBE;
  }

  /** The known limit, besides the files that were open at the start. */
  get known(): number {
    return this.#known;
  }

  /** Whether the known limit is final. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Probes for more.
   *
   * @param inUse lower bound of the open files among the known ones.
   * @returns whether there are more.
   */
  grow(inUse: number): boolean {
    if (this.#complete) return false;
    const most = Math.min(2 * this.#known, MAX_PROBE);
    const found = this.#probe(most);
    const before = this.#known;
    this.#known = Math.max(before, inUse + found);
    this.#complete = found < most || this.#known < (1 + MIN_GAIN) * before;
    return this.#known > before;
  }
}

function openNull(most: number): number {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < most) files.push(Deno.openSync("/dev/null"));
  } catch {
    // The limit is reached.
  }
  for (const file of files) file.close();
  return files.length;
}
