/** One figure of one system. */
export interface Figure {
  /** Heading under which it is shown. */
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  /** Whether more is better, or less. */
  readonly better: "more" | "less";
  /** By system, all samples in the order in which they were taken. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/** Collects samples of figures; systems take turns, so that what slows the machine slows all. */
export class Figures {
  readonly #figures = new Map<string, Figure & { samples: Record<string, number[]> }>();

  /** Adds a sample. */
  add(about: Omit<Figure, "samples">, system: string, value: number): void {
    const id = `${about.group}/${about.name}`;
    const figure = this.#figures.get(id) ?? { ...about, samples: {} };
    (figure.samples[system] ??= []).push(value);
    this.#figures.set(id, figure);
  }

  get all(): readonly Figure[] {
    return [...this.#figures.values()];
  }
}

/** The median; NaN without samples. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? NaN) + upper) / 2 : upper;
}

/**
 * How many times better the first is than the other, by their medians, paired where they were
 * sampled in turns: more than 1 is better.
 */
export function ratio(figure: Figure, system: string, other: string): number {
  const mine = median(figure.samples[system] ?? []);
  const theirs = median(figure.samples[other] ?? []);
  return figure.better === "more" ? mine / theirs : theirs / mine;
}
