/** Files that are looked for at first, and most that are looked for at once: 25 µs each. */
const FIRST = 512;
const MOST = 4096;
/** If it is not worth more than that, as a part of what is known, it is not looked for again. */
const WORTH = 0.1;

/** Opens files, at most so many, and closes them again. @returns how many it could open. */
export type ProbeFiles = (most: number) => number;

/**
 * How many files and sockets this process may open, as far as is known. The compiled program must
 * not read /proc/self/limits, which the runtime grants only together with everything else; so it
 * tries. That costs time, and few need to know more than that there are some hundred: the rest is
 * found out when it matters.
 */
export class OpenFiles {
  readonly #probe: ProbeFiles;
  #known: number;
  #complete: boolean;

  constructor(probe: ProbeFiles = openNull) {
    this.#probe = probe;
    this.#known = probe(FIRST);
    this.#complete = this.#known < FIRST;
  }

  /** So many there are, besides those that were open at the start. */
  get known(): number {
    return this.#known;
  }

  /** Whether there are no more than are known. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Looks for more.
   *
   * @param inUse how many of those that are known are open, at least.
   * @returns whether there are more.
   */
  grow(inUse: number): boolean {
    if (this.#complete) return false;
    const most = Math.min(2 * this.#known, MOST);
    const found = this.#probe(most);
    const before = this.#known;
    this.#known = Math.max(before, inUse + found);
    this.#complete = found < most || this.#known < (1 + WORTH) * before;
    return this.#known > before;
  }
}

function openNull(most: number): number {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < most) files.push(Deno.openSync("/dev/null"));
  } catch {
    // As many as there are.
  }
  for (const file of files) file.close();
  return files.length;
}
