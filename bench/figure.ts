/** One figure of one system. */
export interface Figure {
  /** Heading in the report. */
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  /** Whether more is better, or less. */
  readonly better: "more" | "less";
  /** All samples by system, in the order in which they were taken. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/**
 * Collects samples of figures. Systems take turns, so that a disturbance of the machine affects
 * all.
 */
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
 * How many times better the first system is than the other, by their medians; above 1 is better.
 */
export function ratio(figure: Figure, system: string, other: string): number {
  const mine = median(figure.samples[system] ?? []);
  const theirs = median(figure.samples[other] ?? []);
  return figure.better === "more" ? mine / theirs : theirs / mine;
}
