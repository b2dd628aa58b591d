import { formatBytes } from "./table.ts";

const WIDTH = 30;
/** Minimum interval between redraws. */
const REDRAW_MS = 80;

/** Output of a progress bar. */
export interface ProgressOutput {
  readonly stdout: (text: string) => void;
  /** False: prints a line per quarter instead of redrawing one line. */
  readonly isTerminal: boolean;
}

/** A progress bar for bytes. */
export class Progress {
  readonly #output: ProgressOutput;
  readonly #label: string;
  readonly #total: number;
  #done = 0;
  #drawnAt = -Infinity;
  #drawnQuarter = 0;

  /** @param total expected bytes. */
  constructor(output: ProgressOutput, label: string, total: number) {
    this.#output = output;
    this.#label = label;
    this.#total = total;
  }

  /** Adds bytes. */
  add(bytes: number): void {
    this.#done += bytes;
    const now = performance.now();
    if (this.#output.isTerminal && now - this.#drawnAt >= REDRAW_MS) {
      this.#drawnAt = now;
      this.#output.stdout(`\r${this.line()}`);
    }
    const quarter = Math.floor(4 * this.#done / this.#total);
    if (!this.#output.isTerminal && quarter > this.#drawnQuarter && quarter < 4) {
      this.#drawnQuarter = quarter;
      this.#output.stdout(`${this.line()}\n`);
    }
  }

  /** Draws the final state and ends the line. */
  end(): void {
    this.#output.stdout(`${this.#output.isTerminal ? "\r" : ""}${this.line()}\n`);
  }

  /** The bar's present state. */
  line(): string {
    const part = Math.min(1, this.#total === 0 ? 1 : this.#done / this.#total);
    const full = Math.round(part * WIDTH);
    const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
    const percent = String(Math.floor(part * 100)).padStart(3);
    return `  ${this.#label} ${bar} ${percent} %  ${formatBytes(this.#done)}  `;
  }
}
