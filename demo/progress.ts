import { formatBytes } from "./table.ts";

const WIDTH = 30;
/** Redraws more often than that only cost. */
const REDRAW_MS = 80;

/** Where progress is drawn. */
export interface ProgressOutput {
  readonly stdout: (text: string) => void;
  /** False: a line for each quarter instead of a line that is redrawn. */
  readonly isTerminal: boolean;
}

/** A progress bar for bytes that move. */
export class Progress {
  readonly #output: ProgressOutput;
  readonly #label: string;
  readonly #total: number;
  #done = 0;
  #drawnAt = -Infinity;
  #drawnQuarter = 0;

  /** @param total bytes expected in all. */
  constructor(output: ProgressOutput, label: string, total: number) {
    this.#output = output;
    this.#label = label;
    this.#total = total;
  }

  /** So many more bytes have arrived. */
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

  /** Draws the last state and ends the line. */
  end(): void {
    this.#output.stdout(`${this.#output.isTerminal ? "\r" : ""}${this.line()}\n`);
  }

  /** The bar as it is now. */
  line(): string {
    const part = Math.min(1, this.#total === 0 ? 1 : this.#done / this.#total);
    const full = Math.round(part * WIDTH);
    const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
    const percent = String(Math.floor(part * 100)).padStart(3);
    return `  ${this.#label} ${bar} ${percent} %  ${formatBytes(this.#done)}  `;
  }
}
