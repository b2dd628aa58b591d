import { Progress, type ProgressOutput } from "./progress.ts";

/** Minimum interval between redraws. */
const REDRAW_MS = 80;

/** Progress bars of several nodes, one below the other. */
export class ProgressBoard {
  readonly #output: ProgressOutput;
  readonly #bars: readonly Progress[];
  #drawnAt = -Infinity;

  /** @param total expected bytes per node. */
  constructor(output: ProgressOutput, labels: readonly string[], total: number) {
    this.#output = output;
    // A bar's own output would overwrite the others.
    const own = output.isTerminal ? { ...output, stdout: () => {} } : output;
    this.#bars = labels.map((label) => new Progress(own, label, total));
    if (output.isTerminal) output.stdout(`${this.#text()}\n`);
  }

  /** Adds bytes of a node. */
  add(index: number, bytes: number): void {
    this.#bars[index]?.add(bytes);
    if (performance.now() - this.#drawnAt >= REDRAW_MS) this.#draw();
  }

  /** Draws the final state. */
  end(): void {
    if (this.#output.isTerminal) this.#draw();
    else this.#output.stdout(`${this.#text()}\n`);
  }

  #draw(): void {
    if (!this.#output.isTerminal) return;
    this.#drawnAt = performance.now();
    this.#output.stdout(`\x1b[${this.#bars.length}A\r${this.#text()}\n`);
  }

  #text(): string {
    return this.#bars.map((bar) => bar.line()).join("\n");
  }
}
